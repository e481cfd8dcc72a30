"""Shards as a PyTorch dataset, for `torch.utils.data.DataLoader` and torchdata's `StatefulDataLoader`.

    DataLoader(ShardDataset("shards", batch_size=64), batch_size=None, num_workers=2)

Worker w of n reads steps w, w + n …, and a DataLoader takes batches from workers in turns. So batches come in the loader's
own order, whatever the number of workers. A StatefulDataLoader continues exactly from its state with the same number of
workers, a `ShardLoader` on any number of ranks. The trade: batches travel between processes, where a `ShardLoader` needs
none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from eyas.errors import InputError
from eyas.shards.loader import ShardLoader


class ShardDataset(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of one rank: `input_ids` (int64 [B, T]), `segment_ids` (int32 [B, T]), `step` (int64 []).

    Takes the arguments of `ShardLoader`. A DataLoader over it needs `batch_size=None`, because the batches are made here.
    """

    def __init__(self, folder: str, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1, **options: Any):
        # The shards are opened here, so that mistakes show before workers start, and in each worker again.
        self._arguments = (folder, batch_size, seed, rank, world_size)
        self._options = dict(options)
        first = ShardLoader(*self._arguments, **self._options).state_dict()
        self._options["verify"] = "sizes"
        self._known = {name: first[name] for name in ("index", "seed", "batch_size", "shuffle", "mixture")}
        self._next: int | None = None
        self._resumed: int | None = None

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        loader = ShardLoader(*self._arguments, **self._options)
        step = first if self._resumed is None else self._resumed
        self._resumed = None  # a state serves one iteration: the next starts at the beginning
        if step % stride != first:
            raise InputError(
                f"a worker's state stands at step {step}, which is not a step of this one of {stride} workers: use as many "
                f"workers as before"
            )
        while True:
            batch = loader.batch(step)
            step += stride
            self._next = step
            yield {
                "input_ids": batch.input_ids,
                "segment_ids": batch.segment_ids,
                "step": torch.tensor(batch.step),
            }

    def state_dict(self) -> dict[str, Any]:
        """The next step of this worker, and everything that the order depends on."""
        return {"next": self._next, **self._known}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state`. Raises InputError if it belongs to other shards or another order."""
        for name, value in self._known.items():
            if state[name] != value:
                raise InputError(f"state of another {name}: {state[name]!r}, but this dataset has {value!r}")
        self._next = self._resumed = None if state["next"] is None else int(state["next"])
