"""Kills and signals at random moments, and flipped bits in stored files."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from functools import partial

from benchmarks.faults.lab import Lab, Trial

FLIPPED = (
    "passes/*/documents/*.parquet", "passes/*/masks/*.parquet", "passes/*/ledger/*.parquet", "passes/*/entries/*/*.json",
    "passes/*/manifest.json", "curated/*.parquet", "ledger/*.parquet", "tokenizer/*.json", "shards/*.arrow",
    "shards/index.json", "products/*.json", "plan.json", "manifest.json", "recipe.yaml", "status.json", "cost.parquet",
)  # fmt: skip


def interrupt(number: signal.Signals, whom: str, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Sends a signal to the driver, or kills one of its workers, at a random moment."""
    import psutil

    runs = lab.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    process = lab.start(runs, "--workers", "2" if whom == "worker" else rng.choice(["0", "2"]))
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


def interruptions() -> dict[str, Trial]:
    """Kills of the driver and of workers, and the two signals that ask a run to stop."""
    return {
        "SIGKILL of the driver": partial(interrupt, signal.SIGKILL, "driver"),
        "SIGKILL of a worker": partial(interrupt, signal.SIGKILL, "worker"),
        "SIGTERM": partial(interrupt, signal.SIGTERM, "driver"),
        "SIGINT": partial(interrupt, signal.SIGINT, "driver"),
    }


def flips() -> dict[str, Trial]:
    """A bit in each kind of stored file."""
    return {f"bit in {kind}": partial(flip, kind) for kind in FLIPPED}
