"""Runs of several nodes in one folder: each node is asked whether it sees the folder that the driver sees."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Ran, digests

from benchmarks.faults.cluster import NO_TOKEN, two_nodes
from eyas.corpus.store import Store
from eyas.errors import StorageError
from eyas.pipelines.engine import shared_folder
from eyas.pipelines.engine.locks import SHARED_LOCK, locked
from eyas.pipelines.engine.shared_folder import Mark


def test_a_mark_is_found_answered_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_folder, "PATIENCE_SECONDS", 0.1)
    old, mark = Mark.leave(Store(str(tmp_path))), Mark.leave(Store(str(tmp_path)))
    assert not old.is_seen() and mark.is_seen() and mark.answer("n1")
    assert mark.is_answered("n1") and not mark.is_answered("n2")
    mark.require()
    with pytest.raises(StorageError, match="does not see the run folder"):
        old.require()
    mark.remove()
    assert list(tmp_path.iterdir()) == []


def test_two_machines_keep_each_other_out_of_a_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is a file that only one of them can create; a flock may end at the machine."""
    store = Store(str(tmp_path / "run"), shared=True)
    with locked(store):
        assert (tmp_path / "run" / SHARED_LOCK / "00000001.json").exists()
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
        with pytest.raises(StorageError, match="another `eyas` is at work"):
            with locked(Store(str(tmp_path / "run"), shared=True)):
                pass
    with locked(store):
        pass


def test_the_option_is_refused_where_it_means_nothing(eyas: Callable[..., Ran], recipe: Callable[..., Path]) -> None:
    ran = eyas("run", recipe(), "--workers", "0", "--runs", "memory://runs", "--shared-folder")
    assert ran.code == 2 and "--shared-folder is for a folder that the nodes mount" in ran.err


@pytest.mark.slow
def test_nodes_that_see_the_folder_run_and_others_are_named(
    start: Callable[..., subprocess.Popen[str]],
    eyas: Callable[..., Ran],
    recipe: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two nodes on this machine; for the second one, another folder is mounted at the path of the runs, or none."""
    for name, value in NO_TOKEN.items():
        monkeypatch.setenv(name, value)
    runs, other = tmp_path / "nfs", tmp_path / "other"
    runs.mkdir()
    other.mkdir()
    mounts = ["unshare", "--mount", "sh", "-c", f'mount --bind {other} {runs} && exec "$@"', "sh"]
    if subprocess.run([*mounts, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount within a namespace of its own")
    assert eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "local").code == 0
    with two_nodes(mounts) as (address, _):
        options = ("--ray-address", address, "--runs", runs)
        process = start("run", recipe(), *options)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 2 and "say --shared-folder" in out
        process = start("run", recipe(), *options, "--shared-folder")
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 8 and "1 of 2 nodes do not see the run folder" in out, out
        assert not list(runs.rglob("*.parquet"))
    with two_nodes() as (address, _):
        process = start("run", recipe(), "--ray-address", address, "--runs", runs, "--shared-folder")
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0, out
    assert digests(runs / "small") == digests(tmp_path / "local/small")
    assert not list((runs / "small").glob(".shared-*"))
