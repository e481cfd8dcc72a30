"""Fuzzing: parsers by Atheris, kernels under bounds checks beside their twins. `python -m benchmarks.fuzz --help`."""
