"""A store: files under one fsspec URL, written so that a crash never leaves half a file behind.

A local file is written to a temporary name, fsynced and renamed; an object store publishes an object when it is
closed, which is the same promise. Every write returns a `FileEntry` with size and sha256 for a manifest:
a part that no manifest names does not exist.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from eyas.errors import InputError

PARQUET_OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "write_statistics": True}


@dataclass(frozen=True)
class FileEntry:
    """One published file: its path within the store, bytes, sha256, and rows if it is a table."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileEntry:
        """The entry that `to_json` wrote."""
        return cls(**data)


class _Sink:
    """A write-only file that hashes and counts what passes through."""

    def __init__(self, raw: IO[bytes], path: str) -> None:
        self._raw = raw
        self._path = path
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        with _naming(self._path):
            self._raw.write(view)
        self.bytes += len(view)
        return len(view)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        with _naming(self._path):
            self._raw.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def entry(self, path: str, rows: int | None) -> FileEntry:
        return FileEntry(path, self.bytes, self._hash.hexdigest(), rows)


class Output:
    """A file being written. After the `with` block of `Store.create`, `entry` describes what was published."""

    def __init__(self, sink: _Sink) -> None:
        self.sink = cast("IO[bytes]", sink)
        self.rows: int | None = None
        self.entry: FileEntry | None = None

    def published(self) -> FileEntry:
        """The entry of the finished file."""
        assert self.entry is not None, "published() before the end of the with block"
        return self.entry


class Store:
    """Files under `url` (a local folder or any fsspec URL); paths are relative and use '/'."""

    def __init__(self, url: str) -> None:
        self.fs, root = fsspec.core.url_to_fs(url)
        self.root: str = root.rstrip("/") or "/"
        self.url = url
        self.local = isinstance(self.fs, LocalFileSystem)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (os.path.abspath(self.root) if self.local else self.url,)

    def path(self, relative: str) -> str:
        """The path within the file system of `relative`."""
        return f"{self.root}/{relative}"

    def exists(self, relative: str) -> bool:
        """Whether a file or folder of this name exists."""
        return bool(self.fs.exists(self.path(relative)))

    def holds(self, entry: FileEntry) -> bool:
        """Whether the file is there with the size its manifest states."""
        try:
            return int(self.fs.size(self.path(entry.path)) or 0) == entry.bytes
        except FileNotFoundError:
            return False

    @contextmanager
    def create(self, relative: str) -> Iterator[Output]:
        """Opens `relative` for writing; it appears, whole, when the block ends without an exception."""
        final = self.path(relative)
        # A name of its own for each attempt: a retried task may overlap the attempt it replaces.
        name = f"{final}.{uuid.uuid4().hex[:8]}.tmp" if self.local else final
        if self.local:
            os.makedirs(os.path.dirname(final), exist_ok=True)
        raw = open(name, "wb") if self.local else self.fs.open(name, "wb")
        sink = _Sink(raw, final)
        output = Output(sink)
        try:
            yield output
            with _naming(final):
                raw.flush()
                if self.local:
                    os.fsync(raw.fileno())
                raw.close()
        except BaseException:
            self._abandon(raw, name)
            raise
        if self.local:
            os.replace(name, final)
            _sync_folder(os.path.dirname(final))
        output.entry = sink.entry(relative, output.rows)

    def _abandon(self, raw: Any, name: str) -> None:
        if isinstance(raw, AbstractBufferedFile):
            raw.discard()
            # Or its finaliser would publish the half that is buffered.
            raw.closed = True
            return
        # On a full disk closing fails once more; the first error is the one to report.
        with suppress(OSError):
            raw.close()
        self.fs.rm_file(name)

    @contextmanager
    def parquet(self, relative: str, schema: pa.Schema) -> Iterator[ParquetOutput]:
        """Opens a Parquet file for tables of `schema`."""
        with self.create(relative) as output:
            with pq.ParquetWriter(output.sink, schema, **PARQUET_OPTIONS) as writer:
                yield ParquetOutput(writer, output)

    def write_table(self, relative: str, table: pa.Table) -> FileEntry:
        """Writes one table as a Parquet file."""
        with self.parquet(relative, table.schema) as output:
            output.write(table)
        return output.published()

    def read_table(self, relative: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Reads a Parquet file, whole or in part."""
        with self.open(relative) as file:
            return pq.read_table(file, columns=columns, filters=filters)

    def write_json(self, relative: str, data: Any) -> FileEntry:
        """Writes `data` as indented JSON with sorted keys."""
        with self.create(relative) as output:
            output.sink.write((json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
        return output.published()

    def read_json(self, relative: str) -> Any:
        """Reads a JSON file; raises InputError, which names the file, if it is broken."""
        data = self.fs.cat_file(self.path(relative))
        try:
            return json.loads(data)
        except ValueError as error:
            raise InputError(f"{self.path(relative)}: not valid JSON ({error}); delete it and run again") from error

    def open(self, relative: str) -> IO[bytes]:
        """Opens a file for reading."""
        return cast("IO[bytes]", self.fs.open(self.path(relative), "rb"))

    def list(self, relative: str) -> list[str]:
        """The names in a folder, sorted; none if it does not exist. Unfinished files are left out."""
        self.fs.invalidate_cache()
        try:
            names = [str(path).rsplit("/", 1)[-1] for path in self.fs.ls(self.path(relative), detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not name.endswith(".tmp"))

    def delete(self, relative: str) -> None:
        """Deletes a file or a folder with all it holds, if it exists."""
        if self.exists(relative):
            self.fs.rm(self.path(relative), recursive=True)

    def check_writable(self) -> None:
        """Raises InputError if nothing can be written here."""
        try:
            with self.create(".write-test") as output:
                output.sink.write(b"ok")
            self.fs.rm(self.path(".write-test"))
        except OSError as error:
            raise InputError(
                f"the run folder {self.root} cannot be written: {error}. Choose another with --runs DIR, "
                f"or free space and check its permissions."
            ) from error


class ParquetOutput:
    """A Parquet file being written, one row group per call."""

    def __init__(self, writer: pq.ParquetWriter, output: Output) -> None:
        self._writer = writer
        self._output = output
        output.rows = 0

    def write(self, table: pa.Table) -> None:
        """Appends the rows of `table`."""
        if table.num_rows:
            self._writer.write_table(table)
        assert self._output.rows is not None
        self._output.rows += table.num_rows

    def published(self) -> FileEntry:
        """The entry of the finished file."""
        return self._output.published()


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Puts `path` into an OSError that names no file, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, path) from error


def _sync_folder(folder: str) -> None:
    """Makes a rename durable: the folder's own entry must reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(data: Any) -> str:
    """A sha256 of JSON data that does not depend on the order of keys; 64 hex digits."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
