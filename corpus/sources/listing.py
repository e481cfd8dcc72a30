"""Lists the input files, in one order on every machine, and cuts them into partitions by bytes.

A partition is a slice of the sorted listing: it depends on the files and on `partition_bytes`, never on the
number of workers, so ids, parts and everything downstream are the same on a laptop and on a cluster.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from eyas.corpus.paths import where_looked
from eyas.corpus.secrets import refuse_secret
from eyas.corpus.sources.globs import matches_any
from eyas.corpus.storage_errors import naming_object, of_source
from eyas.errors import InputError


@dataclass(frozen=True)
class InputFile:
    """One file of the input. `stamp` changes when the content does: a modification time or an ETag."""

    path: str
    """Path within its file system."""
    relative: str
    """Path below the source's folder."""
    bytes: int
    stamp: str


@dataclass(frozen=True)
class Split:
    """A piece of one file that is read by one partition, from `start` to `end` in the unit of its format.

    The unit is bytes for JSON lines, row groups for Parquet, record batches for Arrow. end = -1 means to the end.
    """

    path: str
    bytes: int
    start: int = 0
    end: int = -1
    file_bytes: int = -1
    """The size of the whole file when the run was planned; -1: not known."""
    stamp: str = ""
    """Its stamp then."""


@dataclass(frozen=True)
class Partition:
    """A slice of one source."""

    number: int
    source: str
    splits: tuple[Split, ...]

    @property
    def bytes(self) -> int:
        """Bytes on disk of this partition."""
        return sum(split.bytes for split in self.splits)

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return asdict(self)


def list_files(path: str, globs: Sequence[str], exclude: Sequence[str], source: str) -> list[InputFile]:
    """The files below `path` (a folder, a file or any fsspec URL) that match one of `globs`, sorted by path.

    Raises InputError, which names the source, if there is no such folder or nothing matches.
    """
    refuse_secret(path)
    try:
        fs, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"source {source!r}: cannot open {path}: {error}") from error
    root = root.rstrip("/")
    # By default, fsspec silently leaves out a folder that it cannot open.
    strict = {"on_error": "raise"} if isinstance(fs, LocalFileSystem) else {}
    with of_source(source), naming_object(fs, root):
        if fs.isfile(root):
            return [_file(root, root.rsplit("/", 1)[-1], fs.info(root))]
        if not fs.exists(root):
            raise InputError(f"source {source!r}: no such file or folder: {path}{where_looked(path)}")
        listed = fs.find(root, detail=True, **strict)
    files = []
    for name, info in listed.items():
        if info.get("islink"):
            info = _target(fs, name, info)
        # Reading a named pipe or a socket would wait for ever.
        if info["type"] != "file":
            continue
        relative = name[len(root) + 1 :]
        files.append(_file(name, relative, info))
    paths = [file.relative for file in files]
    try:
        wanted = matches_any(paths, globs) & ~matches_any(paths, exclude)
    except InputError as error:
        raise InputError(f"source {source!r}: {error}") from error
    files = [files[number] for number in wanted.nonzero()[0]]
    if not files:
        raise InputError(
            f"source {source!r}: no file below {path} matches {', '.join(globs)}. "
            f"Patterns are relative to the folder; use '**/*.txt' to search all folders below it."
        )
    return sorted(files, key=lambda file: file.path)


def _target(fs: Any, name: str, info: dict[str, Any]) -> dict[str, Any]:
    """The description of a link's target, because the link has a time and a type of its own. A broken link counts as a file,
    so that reading it fails and is recorded."""
    try:
        return dict(fs.info(name))
    except OSError:
        return {**info, "type": "file"}


def _file(path: str, relative: str, info: dict[str, Any]) -> InputFile:
    return InputFile(path, relative, int(info.get("size") or 0), _stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    return str(info.get("ETag") or info.get("mtime") or info.get("LastModified") or info.get("created") or "")


def with_stamps(splits: Iterable[Split], files: Sequence[InputFile]) -> list[Split]:
    """The pieces, each with the size and the stamp of its file, for `check_unchanged`."""
    by_path = {file.path: file for file in files}
    known = [(split, by_path.get(split.path)) for split in splits]
    return [split if file is None else replace(split, file_bytes=file.bytes, stamp=file.stamp) for split, file in known]


def check_unchanged(fs: Any, split: Split) -> None:
    """InputError if the file of a piece is not the one that was planned: its size or its stamp differs, or it is gone.

    A run would otherwise hold half of the old file and half of the new one. The cost is a request for each call.
    """
    if split.file_bytes < 0:
        return
    fs.invalidate_cache(split.path.rpartition("/")[0])
    try:
        with naming_object(fs, split.path):
            info = fs.info(split.path)
    except FileNotFoundError:
        if isinstance(fs, LocalFileSystem) and os.path.islink(split.path):
            return  # it led nowhere from the start, and reading records that
        raise InputError(
            f"{split.path}: gone since the run was planned; put it back, or run again without it"
        ) from None
    size, stamp = int(info.get("size") or 0), _stamp(info)
    if (size, stamp) != (split.file_bytes, split.stamp):
        what = f"{split.file_bytes:,} bytes then, {size:,} now" if size != split.file_bytes else "it was written again"
        raise InputError(
            f"{split.path}: changed since the run was planned ({what}). Wait until nothing writes to it, and run again: then "
            f"all of it is read anew"
        )


def take_bytes(files: Sequence[InputFile], max_bytes: int, seed: int) -> list[InputFile]:
    """A sample of about `max_bytes`: the first files in the order of a hash of (seed, relative path), sorted by path.

    Taking the first files of the listing instead would give a corpus of packages that begin with A.
    """

    def rank(file: InputFile) -> bytes:
        return hashlib.blake2b(f"{seed}:{file.relative}".encode(errors="surrogateescape"), digest_size=8).digest()

    taken, total = [], 0
    for file in sorted(files, key=rank):
        if total + file.bytes <= max_bytes:
            taken.append(file)
            total += file.bytes
    return sorted(taken, key=lambda file: file.path)


def cut(splits: Iterable[Split], partition_bytes: int) -> list[tuple[Split, ...]]:
    """Runs of neighbouring splits of about `partition_bytes`; a larger split stands alone."""
    groups: list[tuple[Split, ...]] = []
    current: list[Split] = []
    size = 0
    for split in splits:
        if current and size + split.bytes > partition_bytes:
            groups.append(tuple(current))
            current, size = [], 0
        current.append(split)
        size += split.bytes
    if current:
        groups.append(tuple(current))
    return groups
