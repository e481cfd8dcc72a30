"""What a run survives: kills, signals and flipped bits, as a table of tried, noticed, recovered and lost.

Each trial does something bad to a run, runs the recipe again and compares its products with those of an undisturbed run.
*Noticed*: the trial had an effect that the run reported (a code, or a file by name). *Recovered*: the next run ended with the
same bytes. *Lost*: it did not. Trials are numbered by a seed, so the script goes on where it was stopped.

    python -m benchmarks.faults --trials 20 --seconds 600 --state faults.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

RECIPE = """name: r
partition_bytes: 500KB
sources: [{{name: code, files: {{path: {path}, glob: ["**/*.py"], max_bytes: 6MB}}}}]
stages: [exact_dedup, minhash_dedup, code_quality]
tokenizer: {{vocab_sizes: [600]}}
shards: {{sequence_length: 256}}
"""
FLIPPED = (
    "passes/*/documents/*.parquet", "passes/*/masks/*.parquet", "passes/*/ledger/*.parquet", "passes/*/entries/*/*.json",
    "passes/*/manifest.json", "curated/*.parquet", "ledger/*.parquet", "tokenizer/*.json", "shards/*.arrow",
    "shards/index.json", "products/*.json", "plan.json", "manifest.json", "recipe.yaml", "status.json", "cost.parquet",
)  # fmt: skip


class Lab:
    """A recipe, and the products of its undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "r.yaml"
        self.recipe.write_text(RECIPE.format(path=sysconfig.get_paths()["purelib"]))
        self.clean = folder / "clean"
        assert self.run(self.clean)[0] == 0
        self.want = digests(self.clean / "r")

    def start(self, runs: Path, workers: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "eyas", "run", str(self.recipe), "--workers", workers, "--runs", str(runs)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, runs: Path) -> tuple[int, str]:
        process = self.start(runs, "0")
        out, _ = process.communicate(timeout=300)
        return process.returncode, out

    def recovers(self, runs: Path) -> tuple[bool, str]:
        """Whether another run ends with the products of the undisturbed one."""
        code, out = self.run(runs)
        return code == 0 and digests(runs / "r") == self.want, out


def digests(run: Path) -> dict[str, str]:
    """sha256 of all that a run publishes."""
    files = [path for kind in ("curated", "ledger", "tokenizer", "shards") for path in (run / kind).rglob("*")]
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}


def interrupt(number: signal.Signals, whom: str, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Sends a signal to the driver, or kills one of its workers, at a random moment."""
    import psutil

    runs = lab.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    process = lab.start(runs, "2" if whom == "worker" else rng.choice(["0", "2"]))
    time.sleep(rng.uniform(0.3, 9.0))
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    # Ray's own agents are no workers, and those of a killed driver end only when they look for it, minutes later.
    children = [child for child in children if not child.name().endswith("Agent")]
    victims = [child for child in children if child.name().startswith("ray::")] if whom == "worker" else []
    target = rng.choice(victims) if victims else process
    sent = process.poll() is None and not (whom == "worker" and not victims)
    if sent:
        target.send_signal(number)
    process.communicate(timeout=120)
    # A killed worker is replaced, and the run goes on; a trial that came too early or too late has nothing to notice.
    killed = -number if number == signal.SIGKILL else 128 + number
    expected = killed if sent and whom == "driver" else 0
    left = psutil.wait_procs(children, timeout=30)[1]
    return process.returncode == expected and not left, lab.recovers(runs)[0]


def flip(kind: str, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Flips a random bit of a file of a kind; a product is taken away, so that the passes are needed."""
    runs = lab.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    shutil.copytree(lab.clean, runs)
    victim = rng.choice(sorted((runs / "r").glob(kind)))
    data = bytearray(victim.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    victim.write_bytes(bytes(data))
    if kind.startswith("passes"):
        shutil.rmtree(runs / "r/curated")
        shutil.rmtree(runs / "r/ledger")
    recovered, out = lab.recovers(runs)
    rewritten = kind in ("plan.json", "manifest.json", "recipe.yaml", "status.json", "cost.parquet")
    return rewritten or re.search(re.escape(str(victim)) + r": (damaged|.*sha256)", out) is not None, recovered


def trials() -> dict[str, Callable[[Lab, random.Random], tuple[bool, bool]]]:
    """All kinds of trials."""
    kinds: dict[str, Callable[[Lab, random.Random], tuple[bool, bool]]] = {
        "SIGKILL of the driver": partial(interrupt, signal.SIGKILL, "driver"),
        "SIGKILL of a worker": partial(interrupt, signal.SIGKILL, "worker"),
        "SIGTERM": partial(interrupt, signal.SIGTERM, "driver"),
        "SIGINT": partial(interrupt, signal.SIGINT, "driver"),
    }
    for kind in FLIPPED:
        kinds[f"bit in {kind}"] = partial(flip, kind)
    return kinds


def print_table(state: dict[str, list[list[bool]]]) -> int:
    """The table so far; returns how many trials lost something."""
    print(f"{'what':<38}{'tried':>6}{'noticed':>9}{'recovered':>11}{'lost':>6}")
    lost = 0
    for name, results in state.items():
        noticed, recovered = (sum(result[i] for result in results) for i in (0, 1))
        lost += len(results) - recovered
        print(f"{name:<38}{len(results):>6}{noticed:>9}{recovered:>11}{len(results) - recovered:>6}")
    return lost


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="of each kind")
    parser.add_argument("--seconds", type=float, default=600, help="start no trial after this time")
    parser.add_argument("--state", type=Path, default=Path("faults.json"), help="results so far, to go on from")
    options = parser.parse_args(argv)
    state: dict[str, list[list[bool]]] = json.loads(options.state.read_text()) if options.state.exists() else {}
    end = time.monotonic() + options.seconds
    with TemporaryDirectory(prefix="eyas-faults-") as folder:
        lab = Lab(Path(folder))
        for number in range(options.trials):
            for name, trial in trials().items():
                done = state.setdefault(name, [])
                if len(done) > number or time.monotonic() > end:
                    continue
                done.append(list(trial(lab, random.Random(f"{name} {number}"))))
                options.state.write_text(json.dumps(state, indent=1))
    return 1 if print_table(state) else 0


if __name__ == "__main__":
    raise SystemExit(main())
