"""Kill anything at any time: the result is the same bytes, and what was finished is not done again.

The oracle is an undisturbed run in one process, without Ray.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from harness import STAGES, Ran, digests

# A stage that is slow enough to be killed in the middle of, and leaves word each time it is called.
SLOW = '''
"""A mapper that takes its time."""
import os, time, uuid
from pathlib import Path
from eyas.corpus import Mapper

STAGES = {"slow": "slow_stage:Slow"}

class Slow(Mapper):
    """Sleeps, and leaves a file for each table it sees."""
    log: str
    seconds: float = 0.6
    def map(self, docs):
        Path(self.log, f"{docs.column('id')[0].as_py()}-{os.getpid()}-{uuid.uuid4().hex}").touch()
        time.sleep(self.seconds)
        return docs
'''


@pytest.fixture
def slow_recipe(recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """The usual recipe with a slow stage first."""
    (tmp_path / "slow_stage.py").write_text(SLOW)
    (tmp_path / "log").mkdir()
    return recipe(stages=f"\n  - slow: {{log: {tmp_path / 'log'}}}{STAGES}", extra="plugins: [slow_stage]")


@pytest.fixture
def expected(eyas: Callable[..., Ran], slow_recipe: Path, tmp_path: Path) -> dict[str, str]:
    """Digests of the undisturbed run."""
    ran = eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "undisturbed")
    assert ran.code == 0, ran.err
    for file in (tmp_path / "log").iterdir():
        file.unlink()
    return digests(tmp_path / "undisturbed/small")


def finish(process: subprocess.Popen[str]) -> str:
    """The output of a run that must succeed."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return out


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Waits until `condition` holds; fails if the process ends first."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def seen(log: Path) -> list[str]:
    """First ids of the tables that the slow stage has seen, once per call."""
    return [file.name.split("-")[0] for file in log.iterdir()]


@pytest.mark.slow
def test_one_worker_or_two_or_none_give_the_same_bytes(
    expected: dict[str, str], slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    for workers in (1, 2):
        finish(start("run", slow_recipe, "--workers", str(workers), "--runs", tmp_path / f"with-{workers}"))
        assert digests(tmp_path / f"with-{workers}/small") == expected


def test_a_killed_worker_changes_nothing(
    expected: dict[str, str], slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("run", slow_recipe, "--workers", "2", "--runs", tmp_path / "runs")
    log = tmp_path / "log"
    wait_for(lambda: list(log.iterdir()), process)
    victim = int(next(log.iterdir()).name.split("-")[1])
    assert victim != process.pid and psutil.Process(process.pid) in psutil.Process(victim).parents()
    # Others on this machine must not be able to join a Ray of one's own.
    assert psutil.Process(victim).environ()["RAY_AUTH_MODE"] == "token"
    os.kill(victim, signal.SIGKILL)
    finish(process)
    assert digests(tmp_path / "runs/small") == expected
    calls = seen(log)
    assert len(calls) > len(set(calls)), "the killed task must have been started again"


def test_a_killed_driver_goes_on_where_it_stopped(
    expected: dict[str, str], slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    run, log = tmp_path / "runs/small", tmp_path / "log"
    process = start("run", slow_recipe, "--workers", "1", "--runs", tmp_path / "runs")
    wait_for(lambda: list(run.glob("passes/*/entries/documents/*.json")), process)
    children = {child: child.name() for child in psutil.Process(process.pid).children(recursive=True)}
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name for path in run.glob("passes/*/entries/documents/*.json")}
    parts = {
        path: path.stat().st_mtime_ns
        for path in run.glob("passes/*/documents/*.parquet")
        if f"{path.stem}.json" in done
    }
    assert parts and not (run / "manifest.json").exists()
    # Nothing of Ray that could still write may outlive the driver; its two agents only notice by polling.
    workers = [child for child, name in children.items() if not name.endswith("Agent")]
    assert not psutil.wait_procs(workers, timeout=20)[1]
    out = finish(start("run", slow_recipe, "--workers", "2", "--runs", tmp_path / "runs"))
    assert "minhash_dedup" in out
    assert {path: path.stat().st_mtime_ns for path in parts} == parts, "a finished part was made again"
    assert digests(run) == expected
    assert len(set(seen(log))) <= len(seen(log)) <= len(set(seen(log))) + 1, "only the task that was cut off runs twice"


def test_two_runs_in_one_folder_are_refused(
    slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], eyas: Callable[..., Ran], tmp_path: Path
) -> None:
    process = start("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "runs")
    wait_for(lambda: list((tmp_path / "log").iterdir()), process)
    second = eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "runs")
    assert second.code == 8 and "another `eyas` is at work" in second.err
    finish(process)
