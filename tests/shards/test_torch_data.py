"""Shards under PyTorch's DataLoader and torchdata's StatefulDataLoader: the loader's own order, and exact states."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from shard_sets import rows_by_hand
from torch.utils.data import DataLoader

from eyas.shards import ShardLoader
from eyas.shards.torch_data import ShardDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readers")
    rows_by_hand(path, [300, 7])
    return path


def steps_of(loader: Any, count: int) -> list[tuple[int, list[int]]]:
    return [(int(batch["step"]), batch["input_ids"][:, 0].tolist()) for batch in islice(loader, count)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_data_loader_hands_out_the_loaders_own_order(folder: Path, workers: int) -> None:
    wanted = [(b.step, b.input_ids[:, 0].tolist()) for b in islice(ShardLoader(str(folder), 4, seed=9), 7)]
    dataset = ShardDataset(str(folder), 4, seed=9)
    assert steps_of(DataLoader(dataset, batch_size=None, num_workers=workers), 7) == wanted


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_data_loader_goes_on_where_it_stopped(folder: Path, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    wanted = steps_of(DataLoader(ShardDataset(str(folder), 4, seed=9), batch_size=None), 9)
    first = stateful(ShardDataset(str(folder), 4, seed=9), batch_size=None, num_workers=workers)
    assert steps_of(first, 4) == wanted[:4]
    state = None
    running = iter(first)
    for _ in range(5):
        next(running)
        state = first.state_dict()
    second = stateful(ShardDataset(str(folder), 4, seed=9), batch_size=None, num_workers=workers)
    second.load_state_dict(state)
    assert steps_of(second, 4) == wanted[5:]


def test_the_state_of_another_order_is_refused(folder: Path) -> None:
    dataset = ShardDataset(str(folder), 4, seed=9)
    with pytest.raises(ValueError, match="state of another seed: 8"):
        dataset.load_state_dict({**dataset.state_dict(), "seed": 8})
