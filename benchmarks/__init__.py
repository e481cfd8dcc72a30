"""One script per claim: Eyas and its peers on the same data, in the same run, in turns. `python -m benchmarks` runs all."""
