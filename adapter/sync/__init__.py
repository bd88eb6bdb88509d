"""Level-triggered reconcile: read, decide what ought to stand, write the difference."""
