"""Runs elsewhere than on the local disk and on another Ray than one's own."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import s3fs
from harness import Ran, digests
from moto.server import ThreadedMotoServer


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 that runs in this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="eyas")
    s3fs.S3FileSystem.clear_instance_cache()  # those of an earlier test know its server
    yield "s3://eyas"
    server.stop()


def test_sources_and_runs_on_s3_give_the_bytes_of_a_local_run(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], corpus: Path, bucket: str, tmp_path: Path
) -> None:
    file = recipe()
    assert eyas("run", file, "--workers", "0", "--runs", tmp_path / "local").code == 0
    fs = s3fs.S3FileSystem()
    for part in corpus.iterdir():
        fs.put(str(part), f"eyas/input/{part.name}")
    remote = eyas("run", file, "--workers", "0", "--runs", f"{bucket}/runs")
    assert remote.code == 0, remote.err
    fs.invalidate_cache()
    fs.get("eyas/runs/small", str(tmp_path / "copy"), recursive=True)
    assert digests(tmp_path / "copy") == digests(tmp_path / "local/small")
    assert "0 passes computed" in eyas("run", file, "--workers", "0", "--runs", f"{bucket}/runs").out
    # Sources from the bucket: the same texts, with other origins.
    file.write_text(file.read_text().replace(str(corpus), f"{bucket}/input").replace("name: small", "name: from-s3"))
    moved = eyas("run", file, "--workers", "0", "--runs", tmp_path / "local")
    assert moved.code == 0, moved.err
    ours, theirs = digests(tmp_path / "local/from-s3"), digests(tmp_path / "local/small")
    assert {k: v for k, v in ours.items() if k.startswith(("tokenizer", "shards"))} == {
        k: v for k, v in theirs.items() if k.startswith(("tokenizer", "shards"))
    }


@pytest.mark.slow
def test_a_replaced_product_on_s3_is_kept_and_comes_back(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], bucket: str, tmp_path: Path
) -> None:
    options = ("--workers", "0", "--runs", f"{bucket}/replaced")
    wholes = []
    for size in (600, 700, 600):
        products = f"tokenizer: {{vocab_sizes: [{size}]}}\nshards: {{sequence_length: 256}}\n"
        ran = eyas("run", recipe(products=products), *options)
        assert ran.code == 0, ran.err
        fs = s3fs.S3FileSystem()
        fs.invalidate_cache()
        fs.get("eyas/replaced/small", str(tmp_path / f"copy-{len(wholes)}"), recursive=True)
        wholes.append(digests(tmp_path / f"copy-{len(wholes)}"))
    assert wholes[2] == wholes[0] != wholes[1] and "0 passes computed" in ran.out
    kept = {path.name.rpartition("-")[0] for path in (tmp_path / "copy-2/previous").iterdir() if path.is_dir()}
    assert kept == {"tokenizer", "shards"} and not (tmp_path / "copy-2/swap.json").exists()
    assert eyas("clean", f"{bucket}/replaced/small").code == 0
    fs.invalidate_cache()
    assert not fs.find("eyas/replaced/small/previous") and fs.find("eyas/replaced/small/shards")


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of one node that was started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).with_name("ray"))
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    flags = ["--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    subprocess.run([ray, "start", *flags], check=True, capture_output=True, timeout=120, env=environment)
    yield f"127.0.0.1:{port}"
    subprocess.run([ray, "stop", "--force"], check=True, capture_output=True, timeout=120, env=environment)


@pytest.mark.slow
def test_a_cluster_that_was_there_before(
    eyas: Callable[..., Ran],
    recipe: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]],
    cluster: str,
    tmp_path: Path,
) -> None:
    assert eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "local").code == 0
    process = start("run", recipe(), "--ray-address", cluster, "--runs", tmp_path / "cluster")
    out, _ = process.communicate(timeout=180)
    assert process.returncode == 0, out
    assert digests(tmp_path / "cluster/small") == digests(tmp_path / "local/small")
