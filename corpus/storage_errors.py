"""Errors of object stores in words: which object, what the store said, and what to do.

Libraries of stores raise errors of their own kinds, most of which name no object: `PermissionError: Access Denied`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fsspec.exceptions import FSTimeoutError
from fsspec.implementations.local import LocalFileSystem

from eyas.errors import EyasError, StorageError

_LIBRARIES: Final = (
    "botocore",
    "aiobotocore",
    "aiohttp",
    "urllib3",
    "s3fs",
    "gcsfs",
    "adlfs",
    "azure",
    "google",
    "requests",
)
_ADVICE: Final = {
    "AccessDenied": "the key may not do this: see its rights and the bucket's policy",
    "Forbidden": "the key may not do this: see its rights and the bucket's policy",
    "InvalidAccessKeyId": "the store does not know the key: see AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not fit the key: see AWS_SECRET_ACCESS_KEY",
    "NoCredentials": "no keys were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
    "NoSuchBucket": "there is no such bucket: make it, or see its name and AWS_ENDPOINT_URL",
    "bucket does not exist": "make the bucket, or see its name and AWS_ENDPOINT_URL",
    "SlowDown": "the store asks for fewer requests: run the recipe again later, or with fewer workers",
    "EndpointConnection": "nothing answers there: see AWS_ENDPOINT_URL and the network",
    "Could not connect": "nothing answers there: see AWS_ENDPOINT_URL and the network",
    "ChecksumError": "the answer was changed on its way, or the server sends wrong checksums (then: "
    "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required)",
}


@contextmanager
def naming_object(fs: Any, path: str) -> Iterator[None]:
    """Raises what a store's library raises as StorageError with the object's name; what is not there stays a
    FileNotFoundError, which callers may expect. Errors of a local disk stay as they are."""
    if isinstance(fs, LocalFileSystem):
        yield
        return
    try:
        yield
    except (EyasError, FileNotFoundError, FileExistsError):
        raise
    except Exception as error:
        if not _is_of_a_store(error):
            raise
        raise StorageError(f"{fs.unstrip_protocol(path)}: {reason(error)}") from error


@contextmanager
def of_source(name: str) -> Iterator[None]:
    """Puts the name of a source into errors of its store."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"source {name!r}: {error}") from error


def reason(error: BaseException) -> str:
    """What a store said, in one line, and what to do about it."""
    said = " ".join(str(error).split()) or type(error).__name__
    text = f"{type(error).__name__}: {said}" if type(error).__module__.startswith(_LIBRARIES) else said
    cause = repr(error.__cause__ or "")
    advice = next((words for sign, words in _ADVICE.items() if sign in f"{text} {cause}"), "")
    return f"the store answered: {text}" + (f"; {advice}" if advice else "; run the recipe again: what is done is kept")


def _is_of_a_store(error: Exception) -> bool:
    kinds = (OSError, asyncio.TimeoutError, FSTimeoutError)
    return isinstance(error, kinds) or any(kind.__module__.startswith(_LIBRARIES) for kind in type(error).__mro__)


class NamedFile:
    """A file of an object store whose errors name it; everything else is the file's own."""

    def __init__(self, file: Any, fs: Any, path: str) -> None:
        self._file, self._fs, self._path = file, fs, path

    def read(self, size: int = -1) -> bytes:
        with naming_object(self._fs, self._path):
            return bytes(self._file.read(size))

    def readinto(self, buffer: Any) -> int:
        with naming_object(self._fs, self._path):
            return int(self._file.readinto(buffer))

    def readline(self, size: int = -1) -> bytes:
        with naming_object(self._fs, self._path):
            return bytes(self._file.readline(size))

    def seek(self, place: int, whence: int = 0) -> int:
        with naming_object(self._fs, self._path):
            return int(self._file.seek(place, whence))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> NamedFile:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()


def opened(fs: Any, path: str) -> Any:
    """A file opened for reading, whose errors name it."""
    if isinstance(fs, LocalFileSystem):
        return fs.open(path, "rb")
    with naming_object(fs, path):
        return NamedFile(fs.open(path, "rb"), fs, path)
