"""What makes every published figure. Run from the project's folder: `python -m benchmarks.live`."""
