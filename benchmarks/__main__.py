"""Runs every benchmark, one after another, and prints one table: `python -m benchmarks --megabytes 10 --json OUT`."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import dedup, encoding, filters, language, packing, synthetic, tokenizer_training, trainer
from benchmarks.common import Options, Report, run


def measure(options: Options) -> Report:
    report = Report()
    for script in (dedup, encoding, filters, language, packing, synthetic, tokenizer_training, trainer):
        report.add(script.measure(options))
    return report


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
