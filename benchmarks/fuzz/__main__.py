"""Fuzzing: parsers of strangers' files by Atheris, kernels under bounds checks beside their twins by Hypothesis.

A finding is an error that is not in words for a user, a result that differs from the twin's, more than 20 seconds, more than
4 GB, or a crash. Each is kept as a file in `FOLDER/TARGET/findings`, the fuzzer goes on, and the table counts them. What
was reached stays in `FOLDER/TARGET/corpus`, so the script goes on where it was stopped. Atheris is wanted for parsers
(`pip install atheris`).

    python -m benchmarks.fuzz --seconds 600 --folder fuzz
    python -m benchmarks.fuzz --targets recipe kernels --seconds 60
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PARSERS = ("recipe", "jsonl", "prompt", "tokenizer", "shards")
KERNELS = (
    "text_kernels",
    "filters/dedup",
    "filters/test_url_lists.py",
    "tokenizer_train",
    "shards/test_packing.py",
    "shards/test_order.py",
)
"""The tests that compare kernels with their twins."""


def fuzz_parser(name: str, folder: Path, seconds: float) -> dict[str, float]:
    """Fuzzes one parser; a process that a finding ended is started again."""
    runs = 0
    end = time.monotonic() + seconds
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, "-m", "benchmarks.fuzz.parsers", name, str(folder), str(int(left))]
        ended = subprocess.run(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        done = re.findall(r"^#(\d+)|number_of_executed_units: (\d+)", ended.stdout, re.MULTILINE)
        runs += max((int(a or b) for a, b in done), default=0)
        if ended.returncode:
            (folder / "last_error.txt").write_text(ended.stdout[-20_000:])
            if not done:
                raise SystemExit(f"{name}: {ended.stdout[-2000:]}")
            where = [line for line in ended.stdout.splitlines() if "Error" in line or "Exception" in line][-3:]
            print(f"{name}: a finding: {' | '.join(where)[:300]}", flush=True)
    return {"seconds": time.monotonic() - began, "runs": runs}


def fuzz_kernels(folder: Path, seconds: float, seed: int) -> dict[str, float]:
    """Runs the property tests of all kernels with bounds checked, each time with other examples."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder / "cache")}
    tests = [f"tests/{path}" for path in KERNELS]
    runs = failed = 0
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        options = [
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            "--ignore=tests/text_kernels/test_jit.py",
            f"--hypothesis-seed={seed + runs}",
        ]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=environment, check=False)
        runs += 1
        if ended.returncode:
            failed += 1
            (folder / f"finding-{seed + runs - 1}.txt").write_text(ended.stdout[-50_000:])
            print(f"kernels: a finding with seed {seed + runs - 1}: {ended.stdout.splitlines()[-2:]}", flush=True)
    return {"seconds": time.monotonic() - began, "runs": runs, "failed": failed}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=(*PARSERS, "kernels"), default=[*PARSERS, "kernels"])
    parser.add_argument("--seconds", type=float, default=600, help="for each target")
    parser.add_argument("--folder", type=Path, default=Path("fuzz"), help="what was reached, and findings")
    options = parser.parse_args(argv)
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / "state.json"
    state: dict[str, dict[str, float]] = json.loads(state_file.read_text()) if state_file.exists() else {}
    for name in options.targets:
        total = state.setdefault(name, {"seconds": 0, "runs": 0})
        if name == "kernels":
            found = fuzz_kernels(folder / name, options.seconds, int(total["runs"]))
        else:
            found = fuzz_parser(name, folder / name, options.seconds)
        for key, value in found.items():
            total[key] = total.get(key, 0) + value
        state_file.write_text(json.dumps(state, indent=1))
    print(f"{'target':<12}{'minutes':>9}{'runs':>12}{'corpus':>8}{'findings':>10}")
    failed = 0
    for name, total in state.items():
        kept = len(list((folder / name / "corpus").glob("*")))
        findings = int(total.get("failed", 0)) or len(list((folder / name / "findings").glob("*")))
        failed += findings
        print(f"{name:<12}{total['seconds'] / 60:>9.1f}{int(total['runs']):>12,}{kept:>8}{findings:>10}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
