"""The shard format: a schema any Arrow reader knows, metadata in every file, an index that vouches for the set."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from shard_sets import META, rows_by_hand

from eyas.corpus.store import Store
from eyas.shards.format import FORMAT, Index, ShardMeta


def test_the_schema_has_the_type_of_every_column() -> None:
    assert META.schema("s").names == ["input_ids", "lengths", "documents", "offsets"]
    assert META.schema("s").field("input_ids").type == pa.list_(pa.uint16(), 8)
    assert META.schema("s").field("lengths").type == pa.list_(pa.int32())
    assert META.schema("s").field("documents").type == pa.list_(pa.uint64())
    assert META.schema("s").field("offsets").type == pa.list_(pa.int64())
    assert json.loads(META.schema("s").metadata[b"eyas"]) == {
        "format": FORMAT, "sequence_length": 8, "vocab_size": 1000, "pad": 0, "bos": 1, "eos": 11, "tokenizer": "f" * 64,
        "packing": "best_fit", "recipe": "", "source": "s",
    }  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), [(1 << 16, pa.uint16()), ((1 << 16) + 1, pa.uint32())])
def test_ids_take_two_bytes_where_the_vocabulary_allows(size: int, expected: pa.DataType) -> None:
    assert replace(META, vocab_size=size).id_type == expected


def test_plain_pyarrow_and_polars_read_a_shard(tmp_path: Path) -> None:
    index = rows_by_hand(tmp_path, [600])
    path = tmp_path / index.files[0].path
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        assert ShardMeta.of(reader.schema, str(path)) == (META, "s")
        assert reader.num_record_batches == 3
        table = reader.read_all()
    table.validate(full=True)
    assert table.column("input_ids")[4].as_py() == [104, 104, 104, 7, 7, 7, 7, 7]
    assert table.column("input_ids")[5].as_py() == [105, 105, 105, 7, 0, 0, 0, 0]
    assert table.column("documents")[5].as_py() == [10, 11]
    frame = pl.read_ipc(path)
    assert frame.shape == (600, 4)
    assert frame["lengths"].list.sum().sum() == index.tokens
    assert frame["input_ids"].to_list() == table.column("input_ids").to_pylist()
    entry = index.files[0]
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_index_comes_back_and_sums_its_files(tmp_path: Path) -> None:
    index = rows_by_hand(tmp_path, [3, 5])
    again = Index.load(Store(str(tmp_path)))
    assert again == index
    assert (again.rows, again.sequence_length, again.vocab_size) == (8, 8, 1000)
    assert again.tokens == sum(3 + r % 5 + 1 for r in range(8))


EDITS = {
    "another file": lambda data: data["files"][0].update(sha256="0" * 64),
    "files swapped": lambda data: data["files"].reverse(),
    "a file left out": lambda data: data["files"].pop(),
    "another length": lambda data: data.update(sequence_length=16),
    "another tokenizer": lambda data: data.update(tokenizer="0" * 64),
    "another end": lambda data: data.update(eos=2),
    "rows of a file": lambda data: data["files"][1].update(rows=4),
    "path of a file": lambda data: data["files"][1].update(path="../elsewhere.arrow"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_index_is_refused(tmp_path: Path, edit: str) -> None:
    rows_by_hand(tmp_path, [3, 5])
    data = json.loads((tmp_path / "index.json").read_text())
    EDITS[edit](data)
    (tmp_path / "index.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"index\.json was edited"):
        Index.load(Store(str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no index.json, so this is not a folder of shards"),
        (
            '{"format": "eyas-shard-0"}',
            "format 'eyas-shard-0', this version reads 'eyas-shard-2'; `eyas run` the recipe again",
        ),
        ('{"format": "eyas', "not valid JSON"),
        ("[1]", "not an index of shards"),
        (f'{{"format": "{FORMAT}", "rows": 3}}', "not an index of shards"),
    ],
)
def test_a_folder_without_a_good_index_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Index.load(Store(str(tmp_path)))


def test_a_file_that_is_no_shard_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x\.arrow: not an Eyas shard"):
        ShardMeta.of(pa.schema([("input_ids", pa.int64())]), "x.arrow")
    other = META.schema("s").with_metadata({"eyas": json.dumps({"format": "eyas-shard-9"})})
    with pytest.raises(ValueError, match=r"x\.arrow: shard format 'eyas-shard-9'"):
        ShardMeta.of(other, "x.arrow")
