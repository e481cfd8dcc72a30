"""Kills of a node of a two-node cluster, and of its head, at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.faults.lab import Lab, Trial
from eyas.errors import ClusterError

_RAY = str(Path(sys.executable).with_name("ray"))
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}


@contextmanager
def two_nodes(second: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """The address of a cluster of a head and a node, and the processes of both. `second`: words before the node's command."""
    import psutil

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    both = ["--num-cpus=1", "--disable-usage-stats"]
    head = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"]
    commands = {
        "head": [_RAY, "start", *head, *both],
        "node": [*second, _RAY, "start", f"--address=127.0.0.1:{port}", *both],
    }
    processes: dict[str, list[int]] = {}
    before = set(psutil.pids())
    try:
        for name, command in commands.items():
            subprocess.run(command, check=True, capture_output=True, timeout=120, env={**os.environ, **NO_TOKEN})
            processes[name] = [pid for pid in psutil.pids() if pid not in before and _is_rays(pid, folder, port)]
            before |= set(processes[name])
        yield f"127.0.0.1:{port}", processes
    finally:
        for pid in [pid for pids in processes.values() for pid in pids]:
            _kill(pid)
        shutil.rmtree(folder, ignore_errors=True)


def _is_rays(pid: int, folder: str, port: int) -> bool:
    import psutil

    try:
        words = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
    return folder in words or f":{port}" in words


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_part(part: str, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Kills all processes of the node or of the head; without the node a run goes on, without the head it ends in words."""
    runs = lab.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    with two_nodes() as (address, processes):
        process = lab.start(runs, "--ray-address", address, "--shared-folder", env=NO_TOKEN)
        time.sleep(rng.uniform(2.0, 14.0))
        running = process.poll() is None
        for pid in processes[part]:
            _kill(pid)
        try:
            out, _ = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
    code = process.returncode
    allowed = (0,) if part == "node" or not running else (0, ClusterError.exit_code)
    noticed = code in allowed and "Traceback (most recent" not in out
    if not noticed:
        print(f"{part} killed: code {code}: {out[-1500:]}", flush=True)
    return noticed, lab.recovers(runs)[0]


def clusters() -> dict[str, Trial]:
    """A kill of either part."""
    return {f"SIGKILL of the cluster's {part}": partial(kill_part, part) for part in ("node", "head")}
