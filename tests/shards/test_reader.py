"""Rows come without a copy, remote files are cached, and the tools of others read a shard: `datasets`, Ray Data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from shard_sets import rows_by_hand

from eyas.corpus.store import Store
from eyas.shards import ShardLoader
from eyas.shards.format import Index
from eyas.shards.reader import Reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readers")
    rows_by_hand(path, [300, 7])
    return path


@pytest.mark.parametrize("streaming", [False, True])
def test_huggingface_datasets(folder: Path, tmp_path: Path, streaming: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    files = [str(folder / f"train-{i:05d}.arrow") for i in range(2)]
    dataset = datasets.load_dataset(
        "arrow", data_files=files, split="train", streaming=streaming, cache_dir=str(tmp_path)
    )
    rows = list(dataset)
    assert len(rows) == 307
    assert [row["input_ids"][0] for row in rows] == list(range(100, 407))
    assert rows[304]["documents"] == [608, 609]


def test_ray_data(folder: Path) -> None:
    ray = pytest.importorskip("ray")
    import pyarrow as pa

    with pa.memory_map(str(folder / "train-00001.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    try:
        rows = ray.data.from_arrow(table).take_all()
    finally:
        ray.shutdown()
    assert [int(row["input_ids"][0]) for row in rows] == list(range(400, 407))


def test_a_row_is_a_view_of_the_mapped_file(folder: Path) -> None:
    reader = Reader(Store(str(folder)), Index.load(Store(str(folder))))
    row = reader.tokens(304)
    assert row.tolist() == [404, 404, 404, 7, 7, 7, 7, 7]
    assert not row.flags.owndata and not row.flags.writeable
    again = reader.tokens(304)
    assert row.__array_interface__["data"] == again.__array_interface__["data"]
    with pytest.warns(UserWarning, match="not writable"):
        tensor = torch.from_numpy(row)
    assert tensor.data_ptr() == row.__array_interface__["data"][0]


def test_a_remote_set_is_copied_into_the_cache_once(folder: Path, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for file in folder.iterdir():
        memory.pipe(f"/cached/{file.name}", file.read_bytes())
    cache = tmp_path / "cache"
    first = ShardLoader("memory://cached", 307, cache=str(cache)).batch(0)
    index = Index.load(Store(str(folder)))
    assert {path.name for path in cache.iterdir()} == {f"{file.sha256}.arrow" for file in index.files}
    stamps = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    second = ShardLoader("memory://cached", 307, cache=str(cache)).batch(0)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == stamps
    assert np.array_equal(first.input_ids, second.input_ids)
    memory.pipe(f"/cached/{index.files[1].path}", bytes(index.files[1].bytes))
    with pytest.raises(ValueError, match=r"train-00001\.arrow: damaged"):
        ShardLoader("memory://cached", 307, cache=str(tmp_path / "other")).batch(0)
