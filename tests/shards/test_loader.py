"""The loader: one order of rows for any number of ranks, a pure function of seed and step, and no wrong file unnoticed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from shard_sets import META, rows_by_hand

from eyas.shards import ShardLoader
from eyas.shards.loader import Batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """13 rows in three files."""
    path = tmp_path_factory.mktemp("set")
    rows_by_hand(path, [5, 7, 1])
    return str(path)


def rows_seen(batch: Batch) -> list[int]:
    """The numbers of the rows, which their first tokens contain."""
    return [int(value) - 100 for value in batch.input_ids[:, 0]]


def test_every_epoch_has_every_row_once_in_another_order(folder: str) -> None:
    loader = ShardLoader(folder, batch_size=4, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order = np.concatenate([loader.rows_of(step) for step in range(4 * 13)])
    epochs = order.reshape(-1, 13)
    assert all(sorted(epoch) == list(range(13)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == len(epochs)


def test_the_order_depends_on_seed_and_step_only(folder: str) -> None:
    loader = ShardLoader(folder, batch_size=4, seed=3)
    first = [rows_seen(batch) for batch in islice(loader, 10)]
    assert first == [ShardLoader(folder, 4, seed=3).rows_of(step).tolist() for step in range(10)]
    assert [rows_seen(loader.batch(step)) for step in reversed(range(10))] == first[::-1]
    assert [rows_seen(batch) for batch in islice(ShardLoader(folder, 4, seed=4), 10)] != first


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_together_see_the_same_rows_in_the_same_order(folder: str, world_size: int) -> None:
    alone = [rows_seen(batch) for batch in islice(ShardLoader(folder, 4, seed=3), 8)]
    ranks = [ShardLoader(folder, 4, 3, rank, world_size) for rank in range(world_size)]
    for step, wanted in enumerate(alone):
        shares = [rows_seen(rank.batch(step)) for rank in ranks]
        assert [shares[i % world_size][i // world_size] for i in range(4)] == wanted


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 2), (2, 1)])
def test_it_goes_on_where_it_stopped_on_another_number_of_ranks(folder: str, before: int, after: int) -> None:
    wanted = [rows_seen(batch) for batch in islice(ShardLoader(folder, 4, seed=3), 12)]
    stopped = ShardLoader(folder, 4, seed=3, rank=0, world_size=before)
    assert len(list(islice(stopped, 5))) == 5
    ranks = [ShardLoader(folder, 4, 3, rank, after) for rank in range(after)]
    for rank in ranks:
        rank.load_state_dict(stopped.state_dict())
    shares = [[rows_seen(batch) for batch in islice(rank, 7)] for rank in ranks]
    assert [[shares[i % after][step][i // after] for i in range(4)] for step in range(7)] == wanted[5:]


@pytest.mark.parametrize(("name", "value"), [("seed", 4), ("batch_size", 8), ("index", "0" * 64)])
def test_the_state_of_another_run_is_refused(folder: str, name: str, value: object) -> None:
    loader = ShardLoader(folder, batch_size=4, seed=3)
    with pytest.raises(ValueError, match=f"loader state of another {name}"):
        loader.load_state_dict({**loader.state_dict(), name: value})
    assert loader.step == 0


def test_a_state_of_another_version_is_refused(folder: str) -> None:
    loader = ShardLoader(folder, batch_size=4, seed=3)
    state = {key: value for key, value in loader.state_dict().items() if key not in ("mixture", "order_hash")}
    with pytest.raises(ValueError, match="it has no mixture, order_hash"):
        loader.load_state_dict(state)


def test_a_batch_has_the_begins_and_the_ids_of_its_documents(folder: str) -> None:
    batch = ShardLoader(folder, batch_size=13).batch(0)
    assert str(batch.input_ids.dtype) == "torch.int64"
    assert str(batch.segment_ids.dtype) == "torch.int32"
    assert str(batch.stored_ids.dtype) == "torch.uint16"
    assert batch.stored_ids.long().tolist() == batch.input_ids.tolist()
    assert batch.input_ids.shape == batch.segment_ids.shape == (13, 8)
    for i, row in enumerate(rows_seen(batch)):
        second = row % 5 + 1
        assert batch.input_ids[i].tolist() == [100 + row] * 3 + [7] * second + [0] * (5 - second)
        assert batch.segment_ids[i].tolist() == [0] * 3 + [1] * second + [-1] * (5 - second)
        assert batch.documents[i] == [2 * row, 2 * row + 1]


def test_rows_beyond_the_first_record_batch(tmp_path: Path) -> None:
    rows_by_hand(tmp_path, [300, 513])
    loader = ShardLoader(str(tmp_path), batch_size=813)
    assert rows_seen(loader.batch(0)) == loader.rows_of(0).tolist()


def test_ids_above_two_bytes_come_through(tmp_path: Path) -> None:
    rows_by_hand(tmp_path, [3], replace(META, vocab_size=100_000))
    batch = ShardLoader(str(tmp_path), 3).batch(0)
    assert sorted(rows_seen(batch)) == [0, 1, 2]
    assert str(batch.stored_ids.dtype) == "torch.uint32"
    assert batch.stored_ids.long().tolist() == batch.input_ids.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 3, "world_size": 2}, "batch_size 3 cannot be split between 2 ranks"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": 4, "rank": 2, "world_size": 2}, "rank 2 is not in 0 … 1"),
        ({"batch_size": 4, "rank": -1}, "rank -1"),
        ({"batch_size": 4, "seed": -1}, "seed -1"),
        ({"batch_size": 4, "world_size": 0}, "split between 0 ranks"),
    ],
)
def test_numbers_that_cannot_be_are_refused(folder: str, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShardLoader(folder, **arguments)


def test_shards_without_rows_are_refused(tmp_path: Path) -> None:
    rows_by_hand(tmp_path, [])
    with pytest.raises(ValueError, match="hold no rows"):
        ShardLoader(str(tmp_path), 1)


def read_everything(folder: Path) -> None:
    ShardLoader(str(folder), batch_size=13).batch(0)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "half", "no arrow", "other set", "other rows"])
def test_a_wrong_file_is_an_error_that_names_it(tmp_path: Path, damage: str) -> None:
    rows_by_hand(tmp_path, [5, 7, 1])
    path = tmp_path / "train-00001.arrow"
    whole = path.read_bytes()
    read_everything(tmp_path)
    if damage == "missing":
        path.unlink()
    elif damage == "other set":
        rows_by_hand(tmp_path / "other", [5, 7], replace(META, tokenizer="0" * 64))
        (tmp_path / "other" / path.name).rename(path)
    elif damage == "other rows":
        rows_by_hand(tmp_path / "other", [5, 4])
        (tmp_path / "other" / path.name).rename(path)
    else:
        cut = {"empty": 0, "cut": len(whole) - 1, "half": len(whole) // 2, "no arrow": 0}[damage]
        path.write_bytes(b"{}" * 500 if damage == "no arrow" else whole[:cut])
    with pytest.raises(ValueError, match=r"train-00001\.arrow"):
        read_everything(tmp_path)


def test_shards_are_read_from_any_file_system(folder: str) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for file in Path(folder).iterdir():
        memory.pipe(f"/loader/{file.name}", file.read_bytes())
    there, here = ShardLoader("memory://loader", 13).batch(0), ShardLoader(folder, 13).batch(0)
    assert rows_seen(there) == rows_seen(here)
    assert there.documents == here.documents


def test_cu_seqlens_are_the_bounds_of_pieces_and_padding(folder: str) -> None:
    batch = ShardLoader(folder, batch_size=3, seed=5).batch(4)
    flat = batch.segment_ids.flatten().tolist()
    changes = [i for i in range(1, len(flat)) if flat[i] != flat[i - 1] or i % 8 == 0]
    assert batch.cu_seqlens.tolist() == [0, *changes, len(flat)]
    assert batch.cu_seqlens.dtype == torch.int32
