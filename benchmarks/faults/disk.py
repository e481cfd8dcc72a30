"""A disk that is full: file systems in memory of twenty sizes, up to what the run needs. Needs the right to mount."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from functools import partial

from benchmarks.faults.lab import Lab, Trial

PLACES = 20


def full_disk(place: int, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Runs where only `place` twentieths of what the run needs are free, and again with room enough."""
    needed = sum(path.stat().st_blocks * 512 for path in lab.clean.rglob("*") if path.is_file())
    size = int(needed * (place + rng.random()) / PLACES) // 4096 * 4096 + 4096
    folder = lab.folder / "small_disk"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        code, out = lab.run(folder / "runs")
        said = re.search(r"[Nn]o space left|disk is full", out) is not None
        subprocess.run(["mount", "-o", "remount,size=2g", str(folder)], check=True)
        recovered, _ = lab.recovers(folder / "runs")
        return code == 0 or (code == 8 and said), recovered
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def full_disks() -> dict[str, Trial]:
    """A trial for each place."""
    return {f"disk full at {place} of {PLACES}": partial(full_disk, place) for place in range(PLACES)}
