"""Errors of stores name the object and say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from eyas.corpus.storage_errors import naming_object, of_source
from eyas.errors import InputError, StorageError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError("Access Denied"), "Access Denied"),
        (ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no"}}, "GetObject"), "there is no such bucket"),
        (EndpointConnectionError(endpoint_url="http://x"), "nothing answers there"),
        (NoCredentialsError(), "no keys were found|run the recipe again"),
        (TimeoutError(), "TimeoutError"),
        (OSError(16, "Please reduce your request rate."), "reduce your request rate"),
    ],
)
def test_what_a_store_says_is_named(error: Exception, says: str) -> None:
    fs = fsspec.filesystem("memory")
    with pytest.raises(
        StorageError, match=rf"source 'web': memory://bucket/a\.parquet: the store answered: .*({says})"
    ):
        with of_source("web"), naming_object(fs, "bucket/a.parquet"):
            raise error


@pytest.mark.parametrize("error", [FileNotFoundError("a"), InputError("b"), ValueError("c"), KeyError("d")])
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        with naming_object(fsspec.filesystem("memory"), "a"):
            raise error
    assert raised.value is error


def test_errors_of_a_local_disk_stay_as_they_are(tmp_path: Path) -> None:
    local: Any = fsspec.filesystem("file")
    with pytest.raises(PermissionError):
        with naming_object(local, str(tmp_path)):
            raise PermissionError("x")
