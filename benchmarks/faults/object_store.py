"""Faults of an S3 server, put in by a proxy: refusals, resets, cut and changed answers, silence, lost conditions."""

from __future__ import annotations

import logging
import random
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.faults.lab import Lab, Trial, digests
from benchmarks.faults.s3_proxy import FAULTS, Fault, Proxy

_SHARE: dict[Fault, float] = {"hang": 0.004, "slow": 0.3, "unconditional": 1.0, "403": 0.02, "404": 0.02}
"""The share of requests that meet a fault; the others: a tenth."""


@contextmanager
def _server() -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A bucket `eyas` behind a proxy, and the environment of its clients."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    proxy = Proxy(host, port)
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": proxy.url,
    }
    boto3.client(
        "s3", endpoint_url=proxy.url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    ).create_bucket(Bucket="eyas")
    try:
        yield proxy, environment
    finally:
        proxy.close()
        server.stop()


def store_fault(fault: Fault, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """A run against a server that has the fault, and again against one that has none any more."""
    import s3fs

    share = _SHARE.get(fault, 0.1)
    with _server() as (proxy, environment):
        proxy.choose = lambda method, path: fault if rng.random() < share else ""
        code, out = lab.run("s3://eyas/runs", environment)
        # A failure names the object, or says that the store cannot keep a lock.
        said = re.search(r"s3://eyas/runs/r[^\n]*", out) is not None and "Traceback" not in out
        proxy.choose = lambda method, path: ""
        again, _ = lab.run("s3://eyas/runs", environment)
        copy = lab.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        options = {"endpoint_url": proxy.url, "region_name": "us-east-1"}
        fs = s3fs.S3FileSystem(key="test", secret="test", client_kwargs=options, skip_instance_cache=True)
        if again == 0:
            fs.get("eyas/runs/r", str(copy), recursive=True)
        return code == 0 or (code in (3, 8) and said), again == 0 and digests(copy) == lab.want


def store_faults() -> dict[str, Trial]:
    """A trial for each fault."""
    return {f"S3: {fault}": partial(store_fault, fault) for fault in FAULTS}
