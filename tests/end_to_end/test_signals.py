"""Ctrl-C and SIGTERM end in a sentence, with the right exit code and no process left; a Ray of one's own is private."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from harness import Ran, digests
from test_crash import SLOW, wait_for


@pytest.fixture
def slow_recipe(recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """A recipe with a slow stage."""
    (tmp_path / "slow_stage.py").write_text(SLOW)
    (tmp_path / "log").mkdir()
    return recipe(stages=f"\n  - slow: {{log: {tmp_path / 'log'}}}\n", products="", extra="plugins: [slow_stage]")


@pytest.mark.parametrize(
    ("workers", "number", "code", "says"),
    [
        ("0", signal.SIGINT, 130, "stopped;"),
        ("2", signal.SIGTERM, 143, "by SIGTERM"),
        pytest.param("0", signal.SIGTERM, 143, "by SIGTERM", marks=pytest.mark.slow),
        pytest.param("2", signal.SIGINT, 130, "stopped;", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_in_a_sentence_and_leaves_nothing_behind(
    slow_recipe: Path,
    start: Callable[..., subprocess.Popen[str]],
    eyas: Callable[..., Ran],
    tmp_path: Path,
    workers: str,
    number: signal.Signals,
    code: int,
    says: str,
) -> None:
    process = start("run", slow_recipe, "--workers", workers, "--runs", tmp_path / "runs")
    wait_for(lambda: list((tmp_path / "log").iterdir()), process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert bool(children) == (workers == "2")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == code, out
    assert says in out.splitlines()[-1] and "run the same command again" in out
    assert "Traceback" not in out and "***" not in out
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "undisturbed").code == 0
    assert digests(tmp_path / "runs/small") == digests(tmp_path / "undisturbed/small")


@pytest.mark.slow
def test_a_second_signal_ends_at_once(
    slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("run", slow_recipe, "--workers", "2", "--runs", tmp_path / "runs")
    wait_for(lambda: list((tmp_path / "log").iterdir()), process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode in (130, 143)
    assert not psutil.wait_procs(children, timeout=10)[1]


def test_a_ray_of_ones_own_is_private_whatever_the_environment_says(
    slow_recipe: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAY_ADDRESS names somebody else's cluster: it is ignored, in words. Nothing listens to other machines."""
    monkeypatch.setenv("RAY_ADDRESS", "10.255.255.1:6379")
    process = start("run", slow_recipe, "--workers", "2", "--runs", tmp_path / "runs")
    wait_for(lambda: list((tmp_path / "log").iterdir()), process)
    ours = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    ports = {one.laddr.ip for one in psutil.net_connections("tcp") if one.pid in ours and one.status == "LISTEN"}
    assert ports and ports <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    (folder,) = Path("/tmp").glob(f"eyas-ray-{os.getuid()}-{process.pid}-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "RAY_ADDRESS=10.255.255.1:6379 is ignored" in out and "--ray-address" in out
    assert not folder.exists()


def test_folders_of_killed_runs_are_deleted_and_those_of_others_are_not(
    slow_recipe: Path, eyas: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    place = tmp_path / "t"
    for name in (f"eyas-ray-{os.getuid()}-{gone.pid}-a", f"eyas-ray-{os.getuid()}-{os.getpid()}-b", "ray"):
        (place / name).mkdir(parents=True)
    monkeypatch.setenv("RAY_TMPDIR", str(place))
    from eyas.pipelines.engine.executors import make_ray_folder

    made = Path(make_ray_folder())
    left = {path.name for path in place.iterdir()}
    assert left == {f"eyas-ray-{os.getuid()}-{os.getpid()}-b", "ray", made.name}


def test_a_ray_that_cannot_start_gives_advice(
    slow_recipe: Path, eyas: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has an end: 107 bytes."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    ran = eyas("run", slow_recipe, "--workers", "1", "--runs", tmp_path / "runs")
    assert ran.code == 7, ran.err
    assert "Ray did not start" in ran.err and "RAY_TMPDIR" in ran.err and "--workers 0" in ran.err
