"""A disk that fills up at twenty moments of a run. Needs the right to mount a file system in memory."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from contextlib import suppress
from functools import partial

from benchmarks.faults.lab import Lab, Trial

PLACES = 20
_SECONDS = 7.0
"""About how long the run takes; a trial that comes too late finds it done."""


def full_disk(place: int, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Fills the disk after `place` twentieths of the run, and runs again when there is room."""
    folder = lab.folder / "disk"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)], check=True)
    try:
        process = lab.start(folder / "runs", "--workers", "0")
        # From the moment at which the run has its folder.
        while process.poll() is None and not (folder / "runs").exists():
            time.sleep(0.01)
        time.sleep(_SECONDS * (place + rng.random()) / PLACES)
        with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
        out, _ = process.communicate(timeout=300)
        said = re.search(r"No space left|is full|MB free", out) is not None and "Traceback (most recent" not in out
        (folder / "filler").unlink()
        noticed = process.returncode == 0 or (process.returncode == 8 and said)
        if not noticed:
            print(f"code {process.returncode}: {out[-800:]}", flush=True)
        return noticed, lab.recovers(folder / "runs")[0]
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def full_disks() -> dict[str, Trial]:
    """A trial for each place."""
    return {f"disk full at {place} of {PLACES}": partial(full_disk, place) for place in range(PLACES)}
