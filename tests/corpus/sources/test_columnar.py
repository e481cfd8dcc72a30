"""Parquet and Arrow IPC: any cut by row group gives the same documents; odd columns and damage are said, not guessed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import read_all, texts

from eyas.corpus.sources import base
from eyas.corpus.sources.base import UnreadableInput
from eyas.corpus.sources.columnar import ArrowFiles, ParquetFiles

Columnar = ParquetFiles | ArrowFiles


def save(kind: str, path: Path, table: pa.Table, groups: list[int] | None = None) -> Columnar:
    """Writes the rows in row groups (record batches) of the given sizes, and returns a source of the file."""
    sizes = groups or [table.num_rows]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    if kind == "parquet":
        with pq.ParquetWriter(path, table.schema) as writer:
            for start, size in zip(starts, sizes, strict=True):
                writer.write_table(table.slice(start, size))
        return ParquetFiles(path=str(path))
    with pa.ipc.new_file(path, table.schema) as writer:
        for start, size in zip(starts, sizes, strict=True):
            for batch in table.slice(start, size).combine_chunks().to_batches():
                writer.write_batch(batch)
    return ArrowFiles(path=str(path))


KINDS = pytest.mark.parametrize("kind", ["parquet", "arrow"])


@KINDS
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_any_cut_gives_the_same_documents_in_order(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    groups = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    texts_in = data.draw(st.lists(st.none() | st.text(max_size=9), min_size=sum(groups), max_size=sum(groups)))
    table = pa.table({"text": pa.array(texts_in, pa.string()), "other": list(range(sum(groups)))})
    path = tmp_path_factory.getbasetemp() / f"cuts.{kind}"
    source = save(kind, path, table, groups)
    found = read_all(source, data.draw(st.integers(1, 2000)))
    assert [record.text for record in found] == [text or None for text in texts_in]
    assert [record.origin for record in found] == [f"{path}#{i}" for i in range(len(texts_in))]
    for record, text in zip(found, texts_in, strict=True):
        reason = {None: ("no_text", False), "": ("empty", True)}.get(text, (None, False))
        assert (record.reason, record.dropped) == reason


@KINDS
def test_groups_larger_than_a_partition_are_a_split_each(tmp_path: Path, kind: str) -> None:
    table = pa.table({"text": [f"{i} " * 100 for i in range(40)]})
    source = save(kind, tmp_path / f"x.{kind}", table, [10, 10, 10, 10])
    splits = source.splits(source.files("src"), 1)
    assert [(split.start, split.end) for split in splits] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert all(split.bytes > 1 for split in splits)
    whole = source.splits(source.files("src"), 1 << 30)
    assert [(split.start, split.end) for split in whole] == [(0, 4)]


@KINDS
@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_strings_of_every_kind_are_text(tmp_path: Path, kind: str, dtype: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["a", "é中😀", "a"], pa.string()).cast(dtype)})
    assert texts(save(kind, tmp_path / f"x.{kind}", table)) == ["a", "é中😀", "a"]


@KINDS
@pytest.mark.parametrize("dtype", [pa.int64(), pa.binary(), pa.list_(pa.string())])
def test_another_type_stops_the_run_and_says_which(tmp_path: Path, kind: str, dtype: pa.DataType) -> None:
    source = save(kind, tmp_path / f"x.{kind}", pa.table({"text": pa.array([None, None], dtype)}))
    with pytest.raises(UnreadableInput, match=rf"x\.{kind}: column 'text' is .*expected strings"):
        read_all(source)


@KINDS
def test_a_missing_column_stops_the_run_and_names_those_there_are(tmp_path: Path, kind: str) -> None:
    source = save(kind, tmp_path / f"x.{kind}", pa.table({"body": ["a"], "url": ["b"]}))
    with pytest.raises(UnreadableInput, match=rf"x\.{kind}: no column 'text'; it has body, url\. Set `text_column`"):
        read_all(source)


@KINDS
def test_columns_to_carry_and_an_origin_of_its_own(tmp_path: Path, kind: str) -> None:
    table = pa.table({"body": ["a", "", "c"], "url": ["http://a", None, None], "n": [1, 2, None], "d": [[1], [], None]})
    save(kind, tmp_path / f"x.{kind}", table)
    options = {"path": str(tmp_path / f"x.{kind}"), "text_column": "body", "origin_column": "url"}
    source = (ParquetFiles if kind == "parquet" else ArrowFiles)(**options, carry=["n", "absent"])
    (batch,) = source.read(source.splits(source.files("src"), 1 << 30)[0], 100)
    assert batch.origins.to_pylist() == ["http://a", f"{tmp_path}/x.{kind}#2"]
    assert batch.rows == [100, 102]
    assert {name: values.to_pylist() for name, values in batch.extra.items()} == {
        "n": ["1", None],
        "absent": [None] * 2,
    }
    lists = (ParquetFiles if kind == "parquet" else ArrowFiles)(**options, carry=["d"])
    (batch,) = lists.read(lists.splits(lists.files("src"), 1 << 30)[0], 0)
    assert batch.extra["d"].to_pylist() == ["[1]", None]


@KINDS
def test_a_cut_or_overwritten_file_stops_the_run(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    source = save(kind, path, pa.table({"text": [f"text {i} {i * i}" for i in range(2000)]}), [1000, 1000])
    whole = path.read_bytes()
    assert len(texts(source)) == 2000
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UnreadableInput, match=rf"x\.{kind}: truncated or damaged.*exclude"):
            read_all(source)
    path.write_bytes(b'{"text": "this is no such file"}\n' * 100)
    with pytest.raises(UnreadableInput, match="truncated or damaged"):
        read_all(source)


@KINDS
def test_bytes_that_are_no_utf8_stop_the_run(tmp_path: Path, kind: str) -> None:
    wrong = pa.array([b"fine", b"caf\xe9"], pa.binary()).view(pa.string())
    source = save(kind, tmp_path / f"x.{kind}", pa.table({"text": wrong}))
    with pytest.raises(UnreadableInput, match=rf"x\.{kind}.*(UTF8|UTF-8|utf8)"):
        read_all(source)


def test_a_dictionary_with_indices_out_of_range_stops_the_run(tmp_path: Path) -> None:
    """Decoding it first would read memory that is not ours."""
    indices = pa.array([0, 1, 1_000_000_000], pa.int32())
    wrong = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b"]), safe=False)
    source = save("arrow", tmp_path / "x.arrow", pa.table({"text": wrong}))
    with pytest.raises(UnreadableInput, match=r"x\.arrow: truncated or damaged"):
        read_all(source)


@KINDS
def test_a_large_text_is_quarantined_with_its_row(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    save(kind, path, pa.table({"text": ["a", "é" * 600, "c"]}))
    source = (ParquetFiles if kind == "parquet" else ArrowFiles)(path=str(path), max_document_bytes="1KB")
    small, large, after = read_all(source)
    assert (small.text, large.reason, large.dropped, after.text) == ("a", "too_large", False, "c")
    assert f"{path}, row 1: the document has 1,200 bytes" in large.message


@KINDS
def test_batches_are_bounded(tmp_path: Path, kind: str) -> None:
    source = save(kind, tmp_path / f"x.{kind}", pa.table({"text": [f"{i:05}" * 20_000 for i in range(900)]}))
    split = source.splits(source.files("src"), 1 << 40)[0]
    sizes = [sum(map(len, batch.texts.to_pylist())) for batch in source.read(split, 0)]
    assert sum(sizes) == 90_000_000
    assert max(sizes) <= 2 * base.BATCH_BYTES


@KINDS
def test_a_file_without_rows_holds_no_documents(tmp_path: Path, kind: str) -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    assert read_all(save(kind, tmp_path / f"x.{kind}", table)) == []
