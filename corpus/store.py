"""A store: files under one fsspec URL, written so that a crash never leaves half a file behind.

A local file is written to a temporary name, fsynced and renamed; an object store publishes an object when it is
closed, which is the same promise. Every write returns a `FileEntry` with size and sha256 for a manifest:
a part that no manifest names does not exist.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import IO, Any, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from eyas.corpus.local_files import exchange, naming, sync_folder
from eyas.corpus.sealed import DamagedFile, sealed, unsealed
from eyas.corpus.secrets import refuse_secret
from eyas.corpus.storage_errors import naming_object, opened
from eyas.errors import StorageError

PARQUET_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "write_statistics": True,
    "write_page_checksum": True,
}


class _Count:
    """How many requests this process has made of stores."""

    count = 0


REQUESTS = _Count()


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

    def __init__(self, raw: IO[bytes], naming: Callable[[], AbstractContextManager[None]]) -> None:
        """naming: puts the file's name into errors."""
        self._raw = raw
        self._naming = naming
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        with self._naming():
            self._raw.write(view)
        self.bytes += len(view)
        return len(view)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        with self._naming():
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

    def __init__(self, url: str, moved: Mapping[str, str] | None = None, shared: bool = False) -> None:
        """moved: folders at the top that lie elsewhere in the store, by their names. shared: whether a local folder is one
        that several machines mount."""
        refuse_secret(url)
        self._moved = dict(moved or {})
        self.fs, root = fsspec.core.url_to_fs(url)
        self.root: str = root.rstrip("/") or "/"
        self.url = url
        self.local = isinstance(self.fs, LocalFileSystem)
        self.shared = shared

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (os.path.abspath(self.root) if self.local else self.url, self._moved, self.shared)

    def redirected(self, moved: Mapping[str, str]) -> Store:
        """The same store, in which some folders at the top lie elsewhere: `{"model": ".building/model-1f…"}`."""
        return Store(self.url, moved, self.shared)

    def path(self, relative: str) -> str:
        """The path within the file system of `relative`."""
        return f"{self.root}/{self._place(relative)}"

    def name(self, relative: str = "") -> str:
        """The name of a file, or of the whole folder, in messages: a path on a local disk, otherwise with its scheme."""
        path = self.path(relative) if relative else self.root
        return path if self.local else str(self.fs.unstrip_protocol(path))

    def url_of(self, relative: str) -> str:
        """The URL of `relative`."""
        return f"{self.url.rstrip('/')}/{self._place(relative)}"

    def _place(self, relative: str) -> str:
        top, slash, rest = relative.partition("/")
        return f"{self._moved[top]}{slash}{rest}" if top in self._moved else relative

    def exists(self, relative: str) -> bool:
        """Whether a file or folder of this name exists."""
        REQUESTS.count += 1
        with self._naming(self.path(relative)):
            return bool(self.fs.exists(self.path(relative)))

    def holds(self, entry: FileEntry) -> bool:
        """Whether the file is there with the size its manifest states."""
        REQUESTS.count += 1
        try:
            with self._naming(self.path(entry.path)):
                return int(self.fs.size(self.path(entry.path)) or 0) == entry.bytes
        except FileNotFoundError:
            return False

    def verify(self, entry: FileEntry) -> bool:
        """Whether the file is there and its bytes have the sha256 of its entry; it is read once."""
        try:
            return self.describe(entry.path) == replace(entry, rows=None)
        except FileNotFoundError:
            return False

    def describe(self, relative: str, rows: int | None = None) -> FileEntry:
        """The entry of a file as it is now; it is read once."""
        digest, size = hashlib.sha256(), 0
        with self.open(relative) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
        return FileEntry(relative, size, digest.hexdigest(), rows)

    @contextmanager
    def create(self, relative: str) -> Iterator[Output]:
        """Opens `relative` for writing; it appears, whole, when the block ends without an exception."""
        final = self.path(relative)
        REQUESTS.count += 1
        # A name of its own for each attempt: a retried task may overlap the attempt it replaces.
        name = f"{final}.{uuid.uuid4().hex[:8]}.tmp" if self.local else final
        if self.local:
            os.makedirs(os.path.dirname(final), exist_ok=True)
        with self._naming(final):
            raw = open(name, "wb") if self.local else self.fs.open(name, "wb")
        sink = _Sink(raw, partial(self._naming, final))
        output = Output(sink)
        try:
            yield output
            with self._naming(final):
                raw.flush()
                if self.local:
                    os.fsync(raw.fileno())
                raw.close()
        except BaseException:
            self._abandon(raw, name)
            raise
        if self.local:
            os.replace(name, final)
            sync_folder(os.path.dirname(final))
        output.entry = sink.entry(relative, output.rows)

    def _naming(self, path: str) -> AbstractContextManager[None]:
        """Puts the name of a file or an object into errors that have none."""
        return naming(path) if self.local else naming_object(self.fs, path)

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
        """Reads a Parquet file, whole or in part; `DamagedFile` if its checksums do not hold."""
        with self._decoding(relative), self.open(relative) as file:
            return pq.read_table(file, columns=columns, filters=filters, page_checksum_verification=True)

    @contextmanager
    def parquet_file(self, relative: str) -> Iterator[pq.ParquetFile]:
        """Opens a Parquet file whose page checksums are verified; `DamagedFile` if it cannot be decoded within the block."""
        with self._decoding(relative), self.open(relative) as file:
            yield pq.ParquetFile(file, page_checksum_verification=True)

    @contextmanager
    def _decoding(self, relative: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk or the network, not the file
            raise DamagedFile(f"{self.name(relative)}: damaged ({error}); run the recipe again") from error

    def write_json(self, relative: str, data: Any) -> FileEntry:
        """Writes `data` as indented JSON with sorted keys."""
        with self.create(relative) as output:
            output.sink.write((json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
        return output.published()

    def write_sealed(self, relative: str, data: Mapping[str, Any]) -> FileEntry:
        """Writes a JSON object that begins with the sha256 of all that follows, so that a flipped bit is noticed."""
        with self.create(relative) as output:
            output.sink.write(sealed(data))
        return output.published()

    def read_json(self, relative: str) -> Any:
        """Reads a JSON file, sealed or not and without its seal; `DamagedFile`, which names it, if it was changed."""
        REQUESTS.count += 1
        with self._naming(self.path(relative)):
            data = self.fs.cat_file(self.path(relative))
        return unsealed(data, self.name(relative))

    def open(self, relative: str) -> IO[bytes]:
        """Opens a file for reading."""
        REQUESTS.count += 1
        return cast("IO[bytes]", opened(self.fs, self.path(relative)))

    def list(self, relative: str) -> list[str]:
        """The names in a folder, sorted; none if it does not exist. Unfinished files are left out."""
        self.fs.invalidate_cache()
        REQUESTS.count += 1
        try:
            with self._naming(self.path(relative)):
                names = [str(path).rsplit("/", 1)[-1] for path in self.fs.ls(self.path(relative), detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not name.endswith(".tmp"))

    def delete(self, relative: str) -> None:
        """Deletes a file or a folder with all it holds, if it exists."""
        if self.exists(relative):
            with self._naming(self.path(relative)):
                self.fs.rm(self.path(relative), recursive=True)

    def identity(self, relative: str) -> int | None:
        """A number that a local folder keeps when it is renamed; None if there is none."""
        try:
            return os.stat(self.path(relative)).st_ino if self.local else None
        except FileNotFoundError:
            return None

    def move(self, source: str, target: str) -> None:
        """Moves a folder to a name that is not taken: at once on a local disk, file by file on an object store."""
        if not self.local:
            self.copy(source, target)
            self.delete(source)
            return
        os.makedirs(os.path.dirname(self.path(target)), exist_ok=True)
        os.rename(self.path(source), self.path(target))
        sync_folder(os.path.dirname(self.path(target)))

    def exchange(self, one: str, other: str) -> None:
        """Lets two local folders change their names in one step; `other` need not exist yet."""
        if not os.path.exists(self.path(other)):
            self.move(one, other)
        elif not exchange(self.path(one), self.path(other)):
            # No such call here: for an instant, there is nothing under the name of `other`.
            aside = f"{self.path(one)}.aside"
            os.rename(self.path(other), aside)
            os.rename(self.path(one), self.path(other))
            os.rename(aside, self.path(one))
        sync_folder(os.path.dirname(self.path(other)))

    def copy(self, source: str, target: str) -> None:
        """Makes the folder `target` hold what `source` holds, and nothing else; the store copies by itself if it can."""
        begin = len(self.path(source)) + 1
        wanted = set()
        with self._naming(self.path(target)):
            for file in self.fs.find(self.path(source)):
                place = f"{self.path(target)}/{str(file)[begin:]}"
                self.fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                self.fs.cp_file(file, place)
                wanted.add(place)
            for file in self.fs.find(self.path(target)):
                if file not in wanted:
                    self.fs.rm_file(file)

    def link(self, source: str, target: str, rows: int | None = None) -> FileEntry:
        """Publishes the file `source` under a second name: without a copy where the store can, by one where it cannot.

        Files are never changed in place, so the two names cannot come apart.
        """
        entry = replace(self.describe(source, rows), path=target)
        if not self.local:
            with self._naming(self.path(target)):
                self.fs.cp_file(self.path(source), self.path(target))
            return entry
        final = self.path(target)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        name = f"{final}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            os.link(self.path(source), name)
        except OSError:  # a file system without links, or two file systems
            shutil.copyfile(self.path(source), name)
        os.replace(name, final)
        if os.path.exists(name):  # it was a link to this very file already, which renaming leaves alone
            os.unlink(name)
        sync_folder(os.path.dirname(final))
        return entry

    def check_writable(self) -> None:
        """Raises StorageError if nothing can be written here."""
        try:
            with self.create(".write-test") as output:
                output.sink.write(b"ok")
            self.fs.rm(self.path(".write-test"))
        except (OSError, StorageError) as error:
            raise StorageError(
                f"the run folder {self.name()} cannot be written: {error}. Choose another with --runs DIR, "
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


def digest_of(data: Any) -> str:
    """A sha256 of JSON data that does not depend on the order of keys; 64 hex digits."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
