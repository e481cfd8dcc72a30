"""The reader: rows of a set of shards, straight from memory-mapped files.

The trade: only the page cache holds data, so memory stays flat however large the set is. A file on object storage is
fetched whole into `cache` when one of its rows is first needed.
"""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.corpus.store import Store
from eyas.shards.check import check_bytes, check_size
from eyas.shards.format import ROWS_PER_BATCH, Index, IndexedFile
from eyas.shards.mapped import MappedFile, allow_files, copy_bytes, copy_ids, copy_pieces, count_pieces, write_segments

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """The pieces of documents in some rows: `counts[r]` of them in row r, one after another in the other arrays."""

    counts: I64
    lengths: npt.NDArray[np.int32]
    documents: npt.NDArray[np.uint64]
    offsets: I64


class Reader:
    """The rows of the shards in `store`. `cache`: a local folder for files of object storage. If None, it is temporary.

    Raises InputError, naming the file, if one is missing, damaged or of another set. Sizes are compared at once, the rest
    when a file is first read.
    """

    def __init__(self, store: Store, index: Index, cache: str | None = None) -> None:
        self.store, self.index, self.local = store, index, store.local
        self._ends = np.cumsum([file.rows for file in index.files])
        self._files: dict[int, MappedFile] = {}
        self._scratch = None if store.local or cache else tempfile.TemporaryDirectory(prefix="eyas-shards-")
        self._cache = Path(cache or (self._scratch.name if self._scratch else "."))
        self._length = index.sequence_length
        self._wide = index.meta.id_type.bit_width == 32
        self._row_bytes = index.meta.id_type.bit_width // 8 * index.sequence_length
        for file in index.files:
            check_size(store, file)
        allow_files(len(index.files))

    def verify(self, rank: int = 0, world_size: int = 1) -> None:
        """Compares the sha256 of this rank's share of the files with the index, at 1.5 GB/s. Remote files are fetched."""
        for file in self.index.files[rank::world_size]:
            if self.local:
                check_bytes(self.store, file)
                continue
            local = self._fetched(file)
            try:
                check_bytes(Store(str(local.parent)), replace(file, path=local.name))
            except ValueError:
                local.unlink()  # only the local copy is damaged: fetch it again
                self._fetched(file)

    def addresses(self, rows: I64) -> I64:
        """int64[5, rows]: addresses of each row's ids and list bounds, and of its pieces' lengths, documents and offsets."""
        numbers = np.searchsorted(self._ends, rows, side="right")
        addresses = np.empty((5, len(rows)), np.int64)
        for number in np.unique(numbers).tolist():
            of_file = numbers == number
            at = rows[of_file] - (self._ends[number - 1] if number else 0)
            places = self._file(number).places[at // ROWS_PER_BATCH]
            within = at % ROWS_PER_BATCH
            places[:, 0] += within * self._row_bytes
            places[:, 1] += within * 4
            addresses[:, of_file] = places.T
        return addresses

    def read_ahead(self, rows: I64) -> None:
        """Asks the system to read the ids of these rows ahead, without waiting."""
        numbers = np.searchsorted(self._ends, rows, side="right")
        for number, address in zip(numbers.tolist(), self.addresses(rows)[0].tolist(), strict=True):
            self._file(number).read_ahead(address, self._row_bytes)

    def tokens(self, row: int) -> npt.NDArray[Any]:
        """The row's token ids, padding included, as a read-only view of the mapped file."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        file = self._file(number)
        start = int(self.addresses(np.array([row]))[0, 0]) - file.address
        dtype = self.index.meta.id_type.to_pandas_dtype()
        return np.frombuffer(file.map, dtype, self.index.sequence_length, start)

    def ids(self, addresses: I64) -> I64:
        """int64[rows, T]: the ids of rows, padding included. `addresses`: the result of `addresses` for the rows."""
        ids = np.empty((addresses.shape[1], self._length), np.int64)
        copy_ids(addresses[0], self._wide, ids)
        return ids

    def stored_ids(self, addresses: I64) -> npt.NDArray[Any]:
        """[rows, T]: the ids of rows in the type of the file, uint16 or uint32."""
        dtype = self.index.meta.id_type.to_pandas_dtype()
        ids = np.empty((addresses.shape[1], self.index.sequence_length), dtype)
        copy_bytes(addresses[0], ids.view(np.uint8))
        return ids

    def segments(self, addresses: I64) -> npt.NDArray[np.int32]:
        """int32[rows, T]: the number of the document within its row, -1 for padding."""
        segments = np.empty((addresses.shape[1], self._length), np.int32)
        write_segments(addresses[1], addresses[2], segments)
        return segments

    def pieces(self, addresses: I64) -> Pieces:
        """The pieces of documents that the rows hold."""
        counts = np.empty(addresses.shape[1], np.int64)
        count_pieces(addresses[1], counts)
        total = int(counts.sum())
        pieces = Pieces(counts, np.empty(total, np.int32), np.empty(total, np.uint64), np.empty(total, np.int64))
        copy_pieces(
            addresses[1], addresses[2], addresses[3], addresses[4], pieces.lengths, pieces.documents, pieces.offsets
        )
        return pieces

    def _file(self, number: int) -> MappedFile:
        if number not in self._files:
            entry = self.index.files[number]
            path = self.store.path(entry.path)
            local = path if self.store.local else str(self._fetched(entry))
            self._files[number] = MappedFile(local, path, self.index, entry)
        return self._files[number]

    def _fetched(self, entry: IndexedFile) -> Path:
        """The local copy of a remote file. Its name is its sha256, which is compared while the file is copied."""
        local = self._cache / f"{entry.sha256}.arrow"
        if not local.exists() or local.stat().st_size != entry.bytes:
            self._cache.mkdir(parents=True, exist_ok=True)
            partial = local.with_suffix(f".{uuid.uuid4().hex[:8]}.tmp")
            try:
                with partial.open("wb") as output:
                    check_bytes(self.store, entry, output)
                partial.replace(local)
            finally:
                partial.unlink(missing_ok=True)
        return local
