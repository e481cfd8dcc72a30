"""The loader: batches of packed rows for PyTorch, in an order that is a pure function of (index, seed, mixture, step).

`batch_size` is global: rank r of w takes rows r, r + w … of each step. So the order does not depend on the number of
ranks, and any number of ranks may continue from a state. The operating system reads ahead, and no thread waits for it:
to pass batches between threads took longer than to make them. The trade: a batch is one copy out of the mapped file, at
1,400 M tokens/s into int64, or at 4,000 in the file's own type. `eyas.shards.reader.Reader.tokens` gives a row without a
copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch

from eyas.corpus.sampling import MASK
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.shards.format import Index
from eyas.shards.options import Phase
from eyas.shards.order import Order, fold
from eyas.shards.reader import Pieces, Reader

I64 = npt.NDArray[np.int64]
_BLOCK_ROWS: Final = 1024
_AHEAD: Final = 32


class Batch:
    """Rows for one step of one rank. `rows`: int64 [B], their numbers in the set.

    Each attribute is copied once, on first use. `stored_ids` are a quarter of the bytes of `input_ids`, so they are
    better to send to a GPU and to widen there.
    """

    def __init__(self, reader: Reader, step: int, rows: I64, addresses: I64) -> None:
        self.step, self.rows = step, rows
        self._reader, self._addresses = reader, addresses

    @cached_property
    def input_ids(self) -> torch.Tensor:
        """int64 [B, T]: token ids, padding included."""
        return torch.from_numpy(self._reader.ids(self._addresses))

    @cached_property
    def stored_ids(self) -> torch.Tensor:
        """uint16 or uint32 [B, T]: token ids in the type of the file."""
        return torch.from_numpy(self._reader.stored_ids(self._addresses))

    @cached_property
    def segment_ids(self) -> torch.Tensor:
        """int32 [B, T]: the number of the document within its row, -1 on padding."""
        return torch.from_numpy(self._reader.segments(self._addresses))

    @cached_property
    def pieces(self) -> Pieces:
        """Lengths, documents and offsets of the rows' pieces."""
        return self._reader.pieces(self._addresses)

    @property
    def documents(self) -> list[list[int]]:
        """The ids of each row's documents, in order."""
        ends = np.cumsum(self.pieces.counts)[:-1]
        return [part.tolist() for part in np.split(self.pieces.documents, ends)]

    @property
    def cu_seqlens(self) -> torch.Tensor:
        """int32: the begins of pieces in the batch's tokens laid end to end, then the end. Padding is a piece of its own.

        Variable-length attention and scan kernels take boundaries in this form.
        """
        length = self.input_ids.shape[1]
        ends = np.cumsum(self.pieces.lengths)
        firsts = np.cumsum(self.pieces.counts) - self.pieces.counts
        row = np.repeat(np.arange(len(self.pieces.counts)), self.pieces.counts)
        before = np.concatenate([[0], ends])[firsts][row]
        bounds = np.concatenate([[0], ends - before + row * length, np.arange(1, len(self.rows) + 1) * length])
        return torch.from_numpy(np.unique(bounds).astype(np.int32))


class ShardLoader:
    """An endless iterator over the shards in a folder. `batch_size` must be a multiple of `world_size`.

    `mixture`: phases of weights by source (`eyas.shards.options`). If None, every row comes as often as any other.
    `shuffle`: whether each epoch of a source has another order of its rows. If false, rows come in the order of the files.
    `verify`: "full" reads every file and compares its sha256 before the first batch (each rank its share), "sizes"
    compares their sizes only. `cache`: a folder for copies of files on object storage. `prefetch`: number of steps that
    the system reads ahead from disk. If None, it is 32 if the set is larger than half of the memory, else 0. Raises
    InputError, naming the file, if shards differ from index.json.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        *,
        mixture: Sequence[Phase] | None = None,
        shuffle: bool = True,
        verify: Literal["full", "sizes"] = "sizes",
        prefetch: int | None = None,
        cache: str | None = None,
    ) -> None:
        if world_size < 1 or batch_size < 1 or batch_size % world_size:
            raise InputError(
                f"batch_size {batch_size} cannot be split between {world_size} ranks: "
                f"it is the global number of rows per step, and must be a multiple of world_size"
            )
        if not 0 <= rank < world_size:
            raise InputError(f"rank {rank} is not in 0 … {world_size - 1}")
        if not 0 <= seed <= MASK:
            raise InputError(f"seed {seed} is not in 0 … 2^64 - 1")
        if prefetch is not None and prefetch < 0:
            raise InputError(f"prefetch {prefetch}: expected 0 (none) or more steps")
        store = Store(folder)
        self.index = Index.load(store)
        if self.index.rows == 0:
            raise InputError(f"{folder}: the shards hold no rows")
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.order = Order(self.index, batch_size, seed, mixture, shuffle)
        self.reader = Reader(store, self.index, cache)
        if verify == "full":
            self.reader.verify(rank, world_size)
        self._prefetch = _steps_ahead(self.index) if prefetch is None else prefetch
        self._read_to = 0
        self._block_steps = max(1, _BLOCK_ROWS // batch_size)
        self._rows: dict[int, I64] = {}
        self._addresses: dict[int, I64] = {}
        self.step = 0
        self._hash, self._hashed = self.order.first_hash(), 0

    @property
    def order_hash(self) -> str:
        """A hash of all rows that all ranks saw before `step`, in order: equal in two runs that saw the same."""
        while self._hashed < self.step:
            # One block at a time, on demand: step by step, hashing costs a tenth of making a batch.
            last = min(self.step, (self._hashed // self._block_steps + 1) * self._block_steps)
            rows = self._block(self._hashed // self._block_steps)
            begin = self._hashed % self._block_steps * self.batch_size
            self._hash = fold(
                self._hash, rows[begin : begin + (last - self._hashed) * self.batch_size], self.batch_size
            )
            self._hashed = last
        return f"{self._hash:016x}"

    def state_dict(self) -> dict[str, Any]:
        """The state of the loader as plain JSON: the next step, the order's hash, and everything the order depends on."""
        phases = self.order.mixture
        return {
            "step": self.step,
            "order_hash": self.order_hash,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "shuffle": self.order.shuffle,
            "index": self.index.digest,
            "mixture": None if phases is None else [phase.model_dump() for phase in phases],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state`, on any number of ranks. Raises InputError for other shards, seed or batch size.

        Weights may differ from those of `state` from its step on.
        """
        current = self.state_dict()
        if missing := sorted(set(current) - set(state)):
            raise InputError(f"no state of a loader of this version: it has no {', '.join(missing)}")
        step = int(state["step"])
        for name in ("index", "seed", "batch_size", "shuffle"):
            if state[name] != current[name]:
                raise InputError(
                    f"loader state of another {name}: {state[name]!r}, but this loader has {current[name]!r}"
                )
        if step and _past(state["mixture"], step) != _past(current["mixture"], step):
            raise InputError(
                f"loader state of another mixture before step {step}: {state['mixture']}, but this loader has "
                f"{current['mixture']}. Weights may change by a phase with from_step: {step} or later"
            )
        self.step = self._hashed = step
        self._hash = int(state["order_hash"], 16)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            if self._prefetch and self.reader.local:
                self._read_ahead()
            batch = self.batch(self.step)
            self.step += 1
            yield batch

    def _read_ahead(self) -> None:
        """Asks the system to read the rows of the next steps, once for each step. `_read_to` is the last of them."""
        last = self.step + self._prefetch
        begun = self._read_to if self.step < self._read_to <= last else self.step
        for step in range(begun + 1, last + 1):
            self.reader.read_ahead(self.rows_of(step)[self.rank :: self.world_size])
        self._read_to = last

    def rows_of(self, step: int) -> I64:
        """The rows of the whole set that all ranks together see at `step`, in order."""
        number, within = divmod(step, self._block_steps)
        return self._block(number)[within * self.batch_size : (within + 1) * self.batch_size]

    def batch(self, step: int) -> Batch:
        """The batch of this rank at `step`."""
        rows = self.rows_of(step)
        if self.world_size > 1:
            rows = rows[self.rank :: self.world_size]
        if not self.reader.local:
            # Only the files of this step are fetched: those of a whole block would delay it.
            return Batch(self.reader, step, rows, self.reader.addresses(rows))
        number, within = divmod(step, self._block_steps)
        addresses = self._addresses.get(number)
        if addresses is None:
            of_rank = self._block(number).reshape(self._block_steps, self.batch_size)[:, self.rank :: self.world_size]
            addresses = _hold(self._addresses, number, self.reader.addresses(of_rank.ravel()))
        return Batch(self.reader, step, rows, addresses[:, within * len(rows) : (within + 1) * len(rows)])

    def _block(self, number: int) -> I64:
        """The rows of a block of steps. One by one, a row's number takes as long to compute as the row to copy."""
        rows = self._rows.get(number)
        if rows is None:
            rows = _hold(self._rows, number, self.order.rows_of(number * self._block_steps, self._block_steps))
        return rows


def _hold(held: dict[int, I64], number: int, block: I64) -> I64:
    """Keeps a block beside at most one other, which suffices for steps in order and read ahead."""
    if len(held) > 1:
        held.pop(next(iter(held)))
    held[number] = block
    return block


def _past(mixture: list[dict[str, Any]] | None, step: int) -> list[dict[str, Any]] | None:
    return None if mixture is None else [phase for phase in mixture if phase["from_step"] < step]


def _steps_ahead(index: Index) -> int:
    """Steps to read ahead. 0 if the page cache can hold the set, because asking takes as long as copying."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return _AHEAD if sum(file.bytes for file in index.files) > memory / 2 else 0
