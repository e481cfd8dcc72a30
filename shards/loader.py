"""The loader: batches of packed rows for PyTorch, in an order that is a pure function of (index, seed, mixture, step).

`batch_size` is global: rank r of w takes rows r, r + w … of each step, so the order does not depend on the number of
ranks, and any number may go on from a state. A thread reads `prefetch` steps ahead. The trade: a batch is one copy, from
the mapped file into int64; `Reader.tokens` gives a row without any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from corpus.chance import MASK
from corpus.store import Store
from shards.format import Index
from shards.options import Phase
from shards.order import Order, fold
from shards.reader import Pieces, Reader

if TYPE_CHECKING:
    import torch

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Rows for one step of one rank. `input_ids`: int64 [B, T]; `segment_ids`: int32 [B, T], the number of the
    document within its row, -1 where there is padding; `rows`: int64 [B], their numbers in the set."""

    input_ids: torch.Tensor
    segment_ids: torch.Tensor
    rows: I64
    step: int
    pieces: Pieces

    @property
    def documents(self) -> list[list[int]]:
        """The ids of each row's documents, in order."""
        ends = np.cumsum(self.pieces.counts)[:-1]
        return [part.tolist() for part in np.split(self.pieces.documents, ends)]

    @property
    def cu_seqlens(self) -> torch.Tensor:
        """int32: where pieces begin in the batch's tokens laid end to end, and the end; padding is a piece of its own.

        What variable-length attention and scan kernels take.
        """
        import torch

        length = self.input_ids.shape[1]
        ends = np.cumsum(self.pieces.lengths)
        firsts = np.cumsum(self.pieces.counts) - self.pieces.counts
        row = np.repeat(np.arange(len(self.pieces.counts)), self.pieces.counts)
        before = np.concatenate([[0], ends])[firsts][row]
        bounds = np.concatenate([[0], ends - before + row * length, np.arange(1, len(self.rows) + 1) * length])
        return torch.from_numpy(np.unique(bounds).astype(np.int32))


class ShardLoader:
    """An endless iterator over the shards in a folder; see the module. `batch_size` must be a multiple of `world_size`.

    `mixture`: phases of weights by source (`shards.options`); None takes every row as often as any other. `shuffle`: in
    each epoch of a source its rows come in another order; False: as they lie. `verify`: "full" reads every file and compares
    its sha256 before the first batch (each rank its share), "sizes" only looks at their lengths. `cache`: a folder for
    copies of files on object storage. Raises ValueError, naming the file, for shards that are not what index.json says.
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
        prefetch: int = 2,
        cache: str | None = None,
    ) -> None:
        if world_size < 1 or batch_size < 1 or batch_size % world_size:
            raise ValueError(
                f"batch_size {batch_size} cannot be shared out to {world_size} ranks: "
                f"it is the global number of rows per step, and must be a multiple of world_size"
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} is not in 0 … {world_size - 1}")
        if not 0 <= seed <= MASK:
            raise ValueError(f"seed {seed} is not in 0 … 2^64 - 1")
        if prefetch < 0:
            raise ValueError(f"prefetch {prefetch}: expected 0 (none) or more steps")
        store = Store(folder)
        self.index = Index.load(store)
        if self.index.rows == 0:
            raise ValueError(f"{folder}: the shards hold no rows")
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.order = Order(self.index, batch_size, seed, mixture, shuffle)
        self.reader = Reader(store, self.index, cache)
        if verify == "full":
            self.reader.verify(rank, world_size)
        self._prefetch = prefetch
        self.step = 0
        self._hash = self.order.first_hash()

    @property
    def order_hash(self) -> str:
        """A hash of all rows that all ranks saw before `step`, in order: equal in two runs that saw the same."""
        return f"{self._hash:016x}"

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: the next step, the order's hash, and what the order depends on; plain JSON."""
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
        """Goes on from `state`, on any number of ranks; ValueError if it belongs to other shards, seed or batch size.

        Weights may differ from those of `state` from its step on.
        """
        mine = self.state_dict()
        step = int(state["step"])
        for name in ("index", "seed", "batch_size", "shuffle"):
            if state[name] != mine[name]:
                raise ValueError(f"loader state of another {name}: {state[name]!r}, but this loader has {mine[name]!r}")
        if _past(state["mixture"], step) != _past(mine["mixture"], step):
            raise ValueError(
                f"loader state of another mixture before step {step}: {state['mixture']}, but this loader has "
                f"{mine['mixture']}. Weights may change by a phase with from_step: {step} or later"
            )
        self.step, self._hash = step, int(state["order_hash"], 16)

    def __iter__(self) -> Iterator[Batch]:
        if not self._prefetch:
            while True:
                yield self._advanced(self.batch(self.step))
        ahead: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(1, "eyas-prefetch") as pool:
            try:
                while True:
                    while len(ahead) <= self._prefetch:
                        ahead.append(pool.submit(self.batch, self.step + len(ahead)))
                    # The state is that of what was handed out, whatever has been read ahead.
                    yield self._advanced(ahead.popleft().result())
            finally:
                pool.shutdown(cancel_futures=True)

    def _advanced(self, batch: Batch) -> Batch:
        assert batch.step == self.step, "the loader was moved while it was iterated over: begin a new iteration"
        self._hash = fold(self._hash, self.rows_of(self.step))
        self.step += 1
        return batch

    def rows_of(self, step: int) -> I64:
        """The rows of the whole set that all ranks together see at `step`, in order."""
        return self.order.rows_of(step)

    def batch(self, step: int) -> Batch:
        """The batch of this rank at `step`."""
        import torch

        rows = self.rows_of(step)[self.rank :: self.world_size]
        ids = np.empty((len(rows), self.index.sequence_length), np.int64)
        segments = np.empty(ids.shape, np.int32)
        self.reader.read(rows, ids, segments)
        return Batch(torch.from_numpy(ids), torch.from_numpy(segments), rows, step, self.reader.pieces(rows))


def _past(mixture: list[dict[str, Any]] | None, step: int) -> list[dict[str, Any]] | None:
    return None if mixture is None else [phase for phase in mixture if phase["from_step"] < step]
