"""The loader: batches of packed rows for PyTorch, in an order that is a pure function of (index, seed, step).

The rows of epoch e are visited in a pseudo-random permutation that is *computed*, not stored: a four-round Feistel
cipher over row numbers (Luby and Rackoff 1988), walked until it lands inside. So resuming at any step is O(1), and
the order does not depend on the number of ranks: `batch_size` is global, rank r takes rows r, r + world_size, …
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from corpus.chance import GOLDEN, MASK, mix
from corpus.store import Store
from shards.format import Index, ShardMeta

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Batch:
    """Rows for one step of one rank. `input_ids`: int64 [B, T]; `segment_ids`: int32 [B, T], the number of the
    document within its row, -1 where there is padding; `documents`: the ids of each row's documents, in order."""

    input_ids: torch.Tensor
    segment_ids: torch.Tensor
    documents: list[list[int]]
    step: int


class ShardLoader:
    """An endless iterator over the shards in a folder; see the module. `batch_size` must be a multiple of `world_size`."""

    def __init__(self, folder: str, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if world_size < 1 or batch_size < 1 or batch_size % world_size:
            raise ValueError(
                f"batch_size {batch_size} cannot be shared out to {world_size} ranks: "
                f"it is the global number of rows per step, and must be a multiple of world_size"
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} is not in 0 … {world_size - 1}")
        if not 0 <= seed <= MASK:
            raise ValueError(f"seed {seed} is not in 0 … 2^64 - 1")
        self._store = Store(folder)
        self.index = Index.load(self._store)
        if self.index.rows == 0:
            raise ValueError(f"{folder}: the shards hold no rows")
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.step = 0
        ends = np.cumsum([file.rows for file in self.index.files])
        self._ends: list[int] = ends.tolist()
        self._readers: dict[int, ipc.RecordBatchFileReader] = {}

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: the next step, and what the order depends on."""
        return {"step": self.step, "seed": self.seed, "batch_size": self.batch_size, "index": self.index.digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`, on any number of ranks; ValueError if it belongs to other shards, seed or batch size."""
        mine = self.state_dict()
        for name in ("index", "seed", "batch_size"):
            if state[name] != mine[name]:
                raise ValueError(
                    f"loader state of another {name}: {state[name]!r}, but these shards have {mine[name]!r}"
                )
        self.step = int(state["step"])

    def __iter__(self) -> Iterator[Batch]:
        while True:
            batch = self.batch(self.step)
            self.step += 1
            yield batch

    def rows_of(self, step: int) -> npt.NDArray[np.int64]:
        """The rows of the whole set that all ranks together see at `step`, in order."""
        position = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epoch, within = position // self.index.rows, position % self.index.rows
        rows = np.empty(len(position), np.int64)
        for number in np.unique(epoch):
            chosen = epoch == number
            key = mix(np.array([(self.seed + int(number) * GOLDEN) & MASK], np.uint64))[0]
            rows[chosen] = permute(within[chosen].astype(np.uint64), self.index.rows, int(key))
        return rows

    def batch(self, step: int) -> Batch:
        """The batch of this rank at `step`."""
        import torch

        rows = self.rows_of(step)[self.rank :: self.world_size]
        length = self.index.sequence_length
        ids = np.empty((len(rows), length), np.int64)
        segments = np.full((len(rows), length), -1, np.int32)
        documents = []
        for i, row in enumerate(rows.tolist()):
            record, at = self._record(row)
            tokens = record.column("input_ids").slice(at, 1).flatten()
            ids[i] = tokens.to_numpy()
            lengths = record.column("lengths")[at].values.to_numpy()
            segments[i, : lengths.sum()] = np.repeat(np.arange(len(lengths)), lengths)
            documents.append(record.column("documents")[at].as_py())
        return Batch(torch.from_numpy(ids), torch.from_numpy(segments), documents, step)

    def _record(self, row: int) -> tuple[pa.RecordBatch, int]:
        """The record batch that holds `row` of the set, and the position within it."""
        number = bisect.bisect_right(self._ends, row)
        reader = self._reader(number)
        row -= self._ends[number - 1] if number else 0
        size = reader.get_batch(0).num_rows
        return reader.get_batch(row // size), row % size

    def _reader(self, number: int) -> ipc.RecordBatchFileReader:
        if number not in self._readers:
            file = self.index.files[number]
            path = self._store.path(file.path)
            try:
                # Memory-mapped where files are local: rows are read from the page cache, never copied as a whole.
                source = pa.memory_map(path) if self._store.local else self._store.open(file.path)
                reader = ipc.open_file(source)
                rows = _rows(reader)
            except (OSError, pa.ArrowInvalid) as error:
                raise ValueError(f"{path}: missing or damaged ({error}); make the shards again") from error
            if ShardMeta.of(reader.schema, path) != self.index.meta:
                raise ValueError(f"{path}: belongs to another set of shards than index.json")
            if rows != file.rows:
                raise ValueError(
                    f"{path}: holds {rows:,} rows, but index.json says {file.rows:,}; make the shards again"
                )
            self._readers[number] = reader
        return self._readers[number]


def _rows(reader: ipc.RecordBatchFileReader) -> int:
    """Rows of a file: all record batches but the last are as long as the first."""
    last = reader.num_record_batches - 1
    return 0 if last < 0 else int(last * reader.get_batch(0).num_rows + reader.get_batch(last).num_rows)


def permute(numbers: npt.NDArray[np.uint64], size: int, key: int) -> npt.NDArray[np.int64]:
    """The images of `numbers` (each below `size`) under the permutation of 0 … size-1 that `key` names."""
    half = np.uint64(max((max(size - 1, 1).bit_length() + 1) // 2, 1))
    low = np.uint64((1 << int(half)) - 1)
    values = numbers.astype(np.uint64)
    outside = np.ones(len(values), np.bool_)
    while outside.any():
        left, right = values[outside] >> half, values[outside] & low
        for number in range(4):
            round_key = np.uint64((key + (number + 1) * GOLDEN) & MASK)
            left, right = right, left ^ (mix(right ^ round_key) & low)
        values[outside] = (left << half) | right
        outside = values >= np.uint64(size)
    return values.astype(np.int64)
