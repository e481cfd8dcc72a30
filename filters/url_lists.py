"""Reads blocklists, files of one entry a line, and holds them as sorted 64-bit hashes.

The trade: 8 bytes an entry instead of Python's 110, so that UT1's 4.6 million domains take 36 MB in each worker, for a
chance of 2.5e-13 per look-up that another string shares an entry's hash. Files are read by blocks of lines: 4.6 million
entries in 2.5 s, with never more than a block of them as Python objects.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, cast

import fsspec
import numpy as np
import numpy.typing as npt

from eyas.corpus.stage import StageUnavailable
from eyas.text_kernels.hashing import SEED, finish, mix
from eyas.text_kernels.jit import kernel

_DOT = ord(".")
_BLOCK = 1 << 22
"""Bytes of lines that are turned into Python objects at a time."""


class HashSet:
    """A set of byte strings by their hashes; empty strings are never members."""

    def __init__(self, blocks: Iterable[Sequence[bytes]] = ()) -> None:
        pieces = [_hashes([entry for entry in block if entry]) for block in blocks]
        hashes = np.sort(np.concatenate([*pieces, np.empty(0, np.uint64)]))
        # Not np.unique: from NumPy 2.3 on it fills a hash table first, and takes six times as long.
        self._sorted = hashes[np.append(hashes[1:] != hashes[:-1], True)] if len(hashes) else hashes

    def __len__(self) -> int:
        return len(self._sorted)

    def contains(self, entries: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """Whether each of n entries is in the set: bool[n]."""
        if not len(self._sorted) or not entries:
            return np.zeros(len(entries), np.bool_)
        return self._have(_hashes(entries)) & (np.fromiter(map(len, entries), np.int64, len(entries)) > 0)

    def contains_parent(self, hosts: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """Whether each of n host names, or a domain above it, is in the set: bool[n]."""
        if not len(self._sorted) or not hosts:
            return np.zeros(len(hosts), np.bool_)
        data, offsets = _joined(hosts)
        hashes = np.empty(len(hosts) + int(np.count_nonzero(data == _DOT)), np.uint64)
        row = np.empty(len(hashes), np.int64)
        _hash_parents(data, offsets, hashes, row)
        listed = np.zeros(len(hosts), np.bool_)
        listed[row[self._have(hashes)]] = True
        return listed

    def _have(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        order = np.argsort(hashes)
        place = np.empty(len(hashes), np.int64)
        # In ascending order the look-ups walk through the set, instead of missing the cache at every step.
        place[order] = np.searchsorted(self._sorted, hashes[order])
        return cast("npt.NDArray[np.bool_]", self._sorted[np.minimum(place, len(self._sorted) - 1)] == hashes)


def _joined(entries: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    offsets = np.zeros(len(entries) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, entries), np.int64, len(entries)), out=offsets[1:])
    return np.frombuffer(b"".join(entries), np.uint8), offsets


def _hashes(entries: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    out = np.empty(len(entries), np.uint64)
    _hash_rows(*_joined(entries), out)
    return out


@kernel
def _hash_rows(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], out: npt.NDArray[np.uint64]) -> None:
    """The hash of each row's bytes and length."""
    for row in range(len(out)):
        state = SEED
        for position in range(offsets[row], offsets[row + 1]):
            state = mix(state, np.uint64(data[position]))
        out[row] = finish(mix(state, np.uint64(offsets[row + 1] - offsets[row])))


@kernel
def _hash_parents(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint64],
    row: npt.NDArray[np.int64],
) -> None:
    """The hashes of each host and of the domains above it, and the row that each hash belongs to."""
    used = 0
    for host in range(len(offsets) - 1):
        end = offsets[host + 1]
        for start in range(offsets[host], end + 1):
            if start == offsets[host] or data[start - 1] == _DOT:
                state = SEED
                for position in range(start, end):
                    state = mix(state, np.uint64(data[position]))
                out[used] = finish(mix(state, np.uint64(end - start)))
                row[used] = host
                used += 1


def entries(path: str) -> Iterator[list[bytes]]:
    """The entries of a list, by blocks: stripped lines, without blank ones and `#` comments.

    Entries are bytes, not text: UT1's lists hold lines in Latin-1. Raises `StageUnavailable` if the file cannot be read.
    """
    try:
        with fsspec.open(path, "rb") as raw:
            file = gzip.open(raw, "rb") if path.endswith(".gz") else raw
            first = True
            while lines := file.readlines(_BLOCK):
                if first:
                    lines[0], first = lines[0].removeprefix(b"\xef\xbb\xbf"), False
                stripped = map(bytes.strip, lines)
                yield [line for line in stripped if line and not line.startswith(b"#")]
    except (OSError, EOFError, ValueError) as error:
        raise StageUnavailable(f"url_filter: the list {path} cannot be read: {error}") from error


def is_missing(path: str) -> bool:
    """Whether a local file or folder does not exist. Files elsewhere are checked when they are read."""
    fs, inner = fsspec.core.url_to_fs(path)
    return "file" in _protocols(fs) and not fs.exists(inner)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def folder_files(folder: str, name: str, categories: Sequence[str] | None) -> list[str]:
    """The lists called `name` (`domains`, `urls`; or `.gz`) of a folder in UT1's layout, one folder per category.

    A folder that holds such a file itself is one category. Raises `StageUnavailable` for an unknown category.
    """
    fs, inner = fsspec.core.url_to_fs(folder)
    try:
        directly = [fs.unstrip_protocol(path) for path in _named(fs, inner, name)]
        children = sorted(path.rstrip("/") for path in fs.ls(inner, detail=False) if fs.isdir(path))
    except OSError as error:
        raise StageUnavailable(f"url_filter: the folder {folder} cannot be read: {error}") from error
    known = [posixpath.basename(path) for path in children]
    unknown = sorted(set(categories or ()) - set(known))
    if unknown:
        raise StageUnavailable(
            f"url_filter: {folder} has no category {', '.join(unknown)}; it has {', '.join(known[:20]) or 'none'}"
        )
    wanted = [path for path, category in zip(children, known, strict=True) if not categories or category in categories]
    below = [fs.unstrip_protocol(path) for child in wanted for path in _named(fs, child, name)]
    return below if categories else directly + below


def _named(fs: Any, folder: str, name: str) -> list[str]:
    return [path for path in (f"{folder}/{name}", f"{folder}/{name}.gz") if fs.isfile(path)]


def sha256(path: str) -> str:
    """The SHA-256 of a list's file, of the unpacked content: compressing a list changes no result."""
    fs, inner = fsspec.core.url_to_fs(path)
    try:
        info = fs.info(inner)
    except OSError as error:
        raise StageUnavailable(f"url_filter: the list {path} cannot be read: {error}") from error
    # The file's state as its storage describes it; where it does not, the file is read each time.
    state = [info.get(key) for key in ("mtime", "ETag", "etag", "LastModified", "md5Hash")]
    key = repr([info.get("size"), *state]) if any(state) else None
    return _sha256(path, key) if key else _sha256.__wrapped__(path, key)


@lru_cache(maxsize=256)
def _sha256(path: str, state: str | None) -> str:
    digest = hashlib.sha256()
    try:
        with fsspec.open(path, "rb") as raw:
            file = gzip.open(raw, "rb") if path.endswith(".gz") else raw
            while block := file.read(io.DEFAULT_BUFFER_SIZE * 64):
                digest.update(block)
    except (OSError, EOFError) as error:
        raise StageUnavailable(f"url_filter: the list {path} cannot be read: {error}") from error
    return digest.hexdigest()
