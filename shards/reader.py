"""Rows of a set of shards, straight from memory-mapped files.

A file is mapped once, and where its columns lie is noted per record batch: 32 bytes a megabyte of tokens. After that a row
is an address: no Arrow object is made for it, and what is not asked for is never read. The trade: only the page cache
holds data, so memory stays flat however large the set, and a file on object storage is fetched whole, into `cache`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from corpus.store import Store
from shards.check import check_bytes, check_size
from shards.format import ROWS_PER_BATCH, Index, IndexedFile, ShardMeta
from text_kernels.jit import kernel

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """The pieces of documents in some rows: `counts[r]` of them in the r-th, one after another in the other arrays."""

    counts: I64
    lengths: npt.NDArray[np.int32]
    documents: npt.NDArray[np.uint64]
    offsets: I64


class _Mapped:
    """One file: its bytes, and by record batch the places of ids, list bounds, lengths, documents and offsets."""

    def __init__(self, buffer: pa.Buffer, path: str, index: Index, entry: IndexedFile) -> None:
        try:
            reader = ipc.open_file(pa.BufferReader(buffer))
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise ValueError(f"{path}: missing or damaged ({error}); make the shards again") from error
        if ShardMeta.of(reader.schema, path) != (index.meta, entry.source):
            raise ValueError(f"{path}: belongs to another set of shards than index.json")
        rows = [batch.num_rows for batch in batches]
        if sum(rows) != entry.rows or any(size != ROWS_PER_BATCH for size in rows[:-1]):
            raise ValueError(
                f"{path}: holds {sum(rows):,} rows, but index.json says {entry.rows:,}; make the shards again"
            )
        self.buffer = buffer
        data = np.frombuffer(buffer, np.uint8)
        itemsize = index.meta.id_type.bit_width // 8
        usable = len(data) // 8 * 8
        self.ids = data[: len(data) // itemsize * itemsize].view(np.uint16 if itemsize == 2 else np.uint32)
        self.int32 = data[: len(data) // 4 * 4].view(np.int32)
        self.uint64, self.int64 = data[:usable].view(np.uint64), data[:usable].view(np.int64)
        columns = ("lengths", "documents", "offsets")
        sizes = (4, 8, 8)
        self.places = np.empty((len(batches), 5), np.int64)
        """In items of each type: ids, bounds, lengths, documents, offsets."""
        for i, batch in enumerate(batches):
            where = [_place(batch.column("input_ids").values, itemsize, buffer)]
            where.append((batch.column("lengths").buffers()[1].address - buffer.address) // 4)
            where += [_place(batch.column(n).values, size, buffer) for n, size in zip(columns, sizes, strict=True)]
            self.places[i] = where


def _place(values: pa.Array, itemsize: int, buffer: pa.Buffer) -> int:
    found = values.buffers()[1]
    return 0 if found is None else (found.address - buffer.address) // itemsize


class Reader:
    """The rows of the shards in `store`. `cache`: a local folder for files of object storage; None: a temporary one.

    Raises ValueError, with the file's name, for a file that is missing, damaged or of another set: when it is first read,
    or, for its size, at once. `verify` reads every file whole and compares its sha256.
    """

    def __init__(self, store: Store, index: Index, cache: str | None = None) -> None:
        self.store, self.index = store, index
        self._ends = np.cumsum([file.rows for file in index.files])
        self._files: dict[int, _Mapped] = {}
        self._scratch = None if store.local or cache else tempfile.TemporaryDirectory(prefix="eyas-shards-")
        self._cache = Path(cache or (self._scratch.name if self._scratch else "."))
        for file in index.files:
            check_size(store, file)

    def verify(self, rank: int = 0, world_size: int = 1) -> None:
        """Compares every file's sha256 with the index, or each rank its share of them; 1.5 GB/s."""
        for file in self.index.files[rank::world_size]:
            check_bytes(self.store, file)

    def locate(self, row: int) -> tuple[int, int]:
        """The number of the file that holds row `row` of the set, and the row's number there."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        return number, row - (int(self._ends[number - 1]) if number else 0)

    def tokens(self, row: int) -> npt.NDArray[Any]:
        """The row's token ids, padding included: a read-only view of the mapped file, nothing is copied."""
        file, at = self._at(row)
        start = int(file.places[at // ROWS_PER_BATCH, 0]) + at % ROWS_PER_BATCH * self.index.sequence_length
        return np.asarray(file.ids[start : start + self.index.sequence_length])

    def read(self, rows: I64, ids: I64, segments: npt.NDArray[np.int32]) -> None:
        """Fills `ids` ([rows, T], int64) and `segments` (the number of the document within its row, -1 for padding)."""
        length = self.index.sequence_length
        for i, row in enumerate(rows.tolist()):
            file, at = self._at(row)
            place = file.places[at // ROWS_PER_BATCH]
            within = at % ROWS_PER_BATCH
            _read_row(
                file.ids, file.int32, int(place[0]) + within * length, int(place[1]) + within, int(place[2]),
                ids[i], segments[i],
            )  # fmt: skip

    def pieces(self, rows: I64) -> Pieces:
        """Which pieces of which documents the rows hold."""
        counts, lengths, documents, offsets = [], [], [], []
        for row in rows.tolist():
            file, at = self._at(row)
            place = file.places[at // ROWS_PER_BATCH].tolist()
            bounds = place[1] + at % ROWS_PER_BATCH
            first, last = file.int32[bounds : bounds + 2].tolist()
            counts.append(last - first)
            lengths.append(file.int32[place[2] + first : place[2] + last])
            documents.append(file.uint64[place[3] + first : place[3] + last])
            offsets.append(file.int64[place[4] + first : place[4] + last])
        return Pieces(
            np.array(counts, np.int64),
            np.concatenate(lengths or [np.zeros(0, np.int32)]),
            np.concatenate(documents or [np.zeros(0, np.uint64)]),
            np.concatenate(offsets or [np.zeros(0, np.int64)]),
        )

    def _at(self, row: int) -> tuple[_Mapped, int]:
        number, at = self.locate(row)
        if number not in self._files:
            entry = self.index.files[number]
            path = self.store.path(entry.path)
            try:
                with pa.memory_map(path if self.store.local else str(self._fetched(entry))) as mapped:
                    buffer = mapped.read_buffer()
            except OSError as error:
                raise ValueError(f"{path}: missing or damaged ({error}); make the shards again") from error
            self._files[number] = _Mapped(buffer, path, self.index, entry)
        return self._files[number], at

    def _fetched(self, entry: IndexedFile) -> Path:
        """The local copy of a remote file, named by its sha256, which is compared while it is copied."""
        local = self._cache / f"{entry.sha256}.arrow"
        if not local.exists() or local.stat().st_size != entry.bytes:
            self._cache.mkdir(parents=True, exist_ok=True)
            partial = local.with_suffix(f".{os.getpid()}.tmp")
            try:
                with partial.open("wb") as output:
                    check_bytes(self.store, entry, output)
                partial.replace(local)
            finally:
                partial.unlink(missing_ok=True)
        return local


@kernel
def _read_row(
    tokens: npt.NDArray[Any],
    numbers: npt.NDArray[np.int32],
    start: int,
    bounds: int,
    lengths: int,
    ids: I64,
    segments: npt.NDArray[np.int32],
) -> None:
    for i in range(len(ids)):
        ids[i] = tokens[start + i]
    column = 0
    for piece in range(numbers[bounds], numbers[bounds + 1]):
        for _ in range(numbers[lengths + piece]):
            segments[column] = piece - numbers[bounds]
            column += 1
    segments[column:] = -1
