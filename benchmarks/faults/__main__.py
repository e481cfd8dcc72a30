"""What a run survives, as a table of tried, noticed, recovered and lost.

Each trial does something bad to a run, runs the recipe again and compares its products with those of an undisturbed run.
*Noticed*: the trial had an effect that the run reported (a code, or a file by name), or no effect at all. *Recovered*: the
next run ended with the same bytes. *Lost*: it did not. Trials are numbered by a seed, so the script goes on where it was
stopped.

    python -m benchmarks.faults --trials 20 --seconds 600 --state faults.json
    python -m benchmarks.faults --groups inputs commands
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.faults.cluster import clusters
from benchmarks.faults.command_lines import command_lines
from benchmarks.faults.disk import full_disks
from benchmarks.faults.inputs import damaged_inputs
from benchmarks.faults.interruptions import flips, interruptions
from benchmarks.faults.lab import Lab, Trial
from benchmarks.faults.object_store import store_faults

GROUPS: dict[str, Callable[[], dict[str, Trial]]] = {
    "signals": interruptions,
    "flips": flips,
    "cluster": clusters,
    "inputs": damaged_inputs,
    "store": store_faults,
    "disk": full_disks,
    "commands": command_lines,
}


def print_table(state: dict[str, list[list[bool]]]) -> int:
    """The table so far; returns how many trials lost something, or went unnoticed."""
    print(f"{'what':<44}{'tried':>6}{'noticed':>9}{'recovered':>11}{'lost':>6}")
    failed = 0
    for name, results in state.items():
        noticed, recovered = (sum(result[i] for result in results) for i in (0, 1))
        failed += sum(not (result[0] and result[1]) for result in results)
        print(f"{name:<44}{len(results):>6}{noticed:>9}{recovered:>11}{len(results) - recovered:>6}")
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--trials", type=int, default=60, help="of each kind")
    parser.add_argument("--seconds", type=float, default=600, help="start no trial after this time")
    parser.add_argument("--state", type=Path, default=Path("faults.json"), help="results so far, to go on from")
    options = parser.parse_args(argv)
    state: dict[str, list[list[bool]]] = json.loads(options.state.read_text()) if options.state.exists() else {}
    end = time.monotonic() + options.seconds
    with TemporaryDirectory(prefix="eyas-faults-") as folder:
        lab = Lab(Path(folder))
        trials = {name: trial for group in options.groups for name, trial in GROUPS[group]().items()}
        for number in range(options.trials):
            for name, trial in trials.items():
                done = state.setdefault(name, [])
                if len(done) > number or time.monotonic() > end:
                    continue
                done.append(list(trial(lab, random.Random(f"{name} {number}"))))
                if not all(done[-1]):
                    print(f"{name}, trial {number}: noticed {done[-1][0]}, recovered {done[-1][1]}", flush=True)
                options.state.write_text(json.dumps(state, indent=1))
    return 1 if print_table(state) else 0


if __name__ == "__main__":
    raise SystemExit(main())
