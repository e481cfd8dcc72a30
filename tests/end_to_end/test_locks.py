"""One run at a time in a folder, on a local disk and on object stores; locks of the dead are taken over."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import s3fs
from harness import Ran, digests
from moto.server import ThreadedMotoServer
from test_crash import SLOW, finish, wait_for

from benchmarks.faults.s3_proxy import Proxy
from eyas.corpus.store import Store
from eyas.errors import StorageError
from eyas.pipelines.engine import locks
from eyas.pipelines.engine.locks import locked


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A bucket `eyas` of an S3 that keeps conditions, behind a proxy."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What an earlier server of this process held.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    between = Proxy(host, port)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
    boto3.client("s3").create_bucket(Bucket="eyas")
    s3fs.S3FileSystem.clear_instance_cache()
    yield between
    between.close()
    server.stop()


@pytest.fixture
def slow_recipe(recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """A recipe with a slow stage."""
    (tmp_path / "slow_stage.py").write_text(SLOW)
    (tmp_path / "log").mkdir()
    return recipe(
        stages=f"\n  - slow: {{log: {tmp_path / 'log'}, seconds: 1.5}}\n", products="", extra="plugins: [slow_stage]"
    )


@pytest.mark.slow
def test_two_runs_at_once_on_s3(
    slow_recipe: Path,
    start: Callable[..., subprocess.Popen[str]],
    eyas: Callable[..., Ran],
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    first = start("run", slow_recipe, "--workers", "0", "--runs", "s3://eyas/runs")
    wait_for(lambda: list((tmp_path / "log").iterdir()), first)
    second = eyas("run", slow_recipe, "--workers", "0", "--runs", "s3://eyas/runs")
    assert second.code == 8 and "another `eyas` is at work in s3://eyas/runs/small" in second.err
    assert f"process {first.pid} on " in second.err
    first.kill()
    first.wait()
    third = eyas("run", slow_recipe, "--workers", "0", "--runs", "s3://eyas/runs")
    assert third.code == 0, third.err
    fs = s3fs.S3FileSystem()
    fs.get("eyas/runs/small", str(tmp_path / "copy"), recursive=True)
    assert eyas("run", slow_recipe, "--workers", "0", "--runs", tmp_path / "local").code == 0
    assert digests(tmp_path / "copy") == digests(tmp_path / "local/small")


def test_a_store_that_ignores_conditions_is_refused_unless_the_recipe_says_so(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], proxy: Proxy
) -> None:
    proxy.choose = lambda method, path: "unconditional"
    refused = eyas("run", recipe(stages=" []", products=""), "--workers", "0", "--runs", "s3://eyas/runs")
    assert refused.code == 8 and "can keep no lock" in refused.err and "`lock: none`" in refused.err
    ran = eyas(
        "run", recipe(stages=" []", products="", extra="lock: none"), "--workers", "0", "--runs", "s3://eyas/runs"
    )
    assert ran.code == 0, ran.err
    assert "lock: none: nothing keeps another run out" in ran.out
    report = s3fs.S3FileSystem().cat_file("eyas/runs/small/report.html").decode()
    assert "lock: none" in report


@pytest.mark.slow
def test_of_racers_for_the_lock_of_a_dead_process_one_wins(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a process of its own, all at once, again and again; the winner dies without releasing."""
    program = (
        "import os, sys, time\n"
        "from eyas.corpus.store import Store\n"
        "from eyas.errors import StorageError\n"
        "from eyas.pipelines.engine.locks import locked\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    with locked(Store('s3://eyas/race')):\n"
        "        print('won', flush=True); time.sleep(3); os._exit(9)\n"
        "except StorageError as error:\n"
        "    assert 'another' in str(error), error\n"
        "    print('lost')\n"
    )
    for _ in range(3):
        racers = [
            subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(6)
        ]
        for racer in racers:
            assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        outs = [racer.communicate(timeout=60)[0].strip() for racer in racers]
        assert sorted(outs) == ["lost"] * 5 + ["won"]


def test_the_lock_of_another_machine_is_respected_while_it_gives_signs_of_life(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(locks, "SILENT_SECONDS", 1.5)
    store, warnings = Store("s3://eyas/other"), []
    with locked(store):
        with monkeypatch.context() as patch:
            patch.setattr("socket.gethostname", lambda: "elsewhere")
            with pytest.raises(StorageError, match="another `eyas` is at work"):
                with locked(store, warn=warnings.append):
                    pass
    assert len(warnings) == 1 and "waiting 2 s for a sign of life" in warnings[0]
    # A machine that went down in the middle.
    record = {"token": "x", "host": "gone", "pid": 1, "started": "1", "time": 0, "released": False}
    store.fs.pipe_file(f"{store.path('.lock')}/00000005.json", json.dumps(record).encode())
    with locked(store, warn=warnings.append) as lock:
        lock.check()
        assert store.list(".lock") == ["00000006.json"]
        # And if it was only asleep: whoever was taken over notices.
        store.fs.pipe_file(f"{store.path('.lock')}/00000007.json", json.dumps(record).encode())
        with pytest.raises(StorageError, match="taken over"):
            for _ in range(100):
                locks.time.sleep(0.05)
                lock.check()


def test_a_lock_that_is_a_link_is_not_followed(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path
) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("do not touch")
    (tmp_path / "runs/small").mkdir(parents=True)
    (tmp_path / "runs/small/.lock").symlink_to(precious)
    ran = eyas("run", recipe(stages=" []", products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 8 and "must be a plain file" in ran.err
    assert precious.read_text() == "do not touch"
    (tmp_path / "runs/small/.lock").unlink()
    (tmp_path / "runs/small/.lock").write_text("what an earlier version wrote")
    assert eyas("run", recipe(stages=" []", products=""), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert (tmp_path / "runs/small/.lock").read_text() == "what an earlier version wrote"


@pytest.mark.slow
def test_two_trainings_in_one_folder_are_refused(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    assert eyas("run", recipe(stages=" []"), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    options = ("--out", tmp_path / "model", "--batch-size", "2")
    first = start("train", tmp_path / "runs/small", *options, "--steps", "40")
    wait_for(lambda: (tmp_path / "model/metrics.jsonl").exists(), first)
    second = eyas("train", tmp_path / "runs/small", *options, "--steps", "40")
    assert second.code == 8 and f"another `eyas` is at work in {tmp_path / 'model'}" in second.err
    finish(first)
    assert os.listdir(tmp_path / "model/checkpoints")
