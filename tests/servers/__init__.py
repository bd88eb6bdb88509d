"""Real parts for the tests and the benchmarks, started without containers."""
