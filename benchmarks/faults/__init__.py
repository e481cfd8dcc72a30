"""What a run survives: `python -m benchmarks.faults --help`."""
