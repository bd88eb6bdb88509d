"""The functional core: HER2 evidence in, one classification out. Standard library only, no I/O, no clock."""
