"""Parts: masks drop rows without rewriting text, they stack, and their columns join the documents'."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus import part as part_module
from eyas.corpus.documents import documents
from eyas.corpus.part import Part
from eyas.corpus.store import Store


def write(store: Store, rows: int, masks: list[pa.Table], group: int = 7) -> Part:
    """A part of `rows` documents in row groups of `group`, with `masks` beside it."""
    table = documents(list(range(rows)), [f"text {i}" for i in range(rows)], "s", [f"f#{i}" for i in range(rows)])
    with store.parquet("documents.parquet", table.schema) as output:
        for start in range(0, rows, group):
            output.write(table.slice(start, group))
    paths = tuple(f"mask-{number}.parquet" for number in range(len(masks)))
    for path, mask in zip(paths, masks, strict=True):
        store.write_table(path, mask)
    return Part(3, "s", "documents.parquet", rows, rows, 0, paths)


def ids(part: Part, store: Store, columns: list[str] | None = None) -> list[int]:
    return [i for table in part.tables(store, columns) for i in table.column("id").to_pylist()]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), max_size=3)))
def test_what_any_mask_drops_stays_dropped(tmp_path_factory: pytest.TempPathFactory, masks: list[list[bool]]) -> None:
    store = Store(str(tmp_path_factory.mktemp("part")))
    rows = len(masks[0]) if masks else 5
    part = write(store, rows, [pa.table({"kept": pa.array(mask, pa.bool_())}) for mask in masks])
    assert ids(part, store) == [i for i in range(rows) if all(mask[i] for mask in masks)]


def test_columns_of_masks_join_and_the_latest_wins(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    older = pa.table({"kept": [True, True, False, True], "size": [1, 2, 3, 4], "old": ["a", "b", "c", "d"]})
    newer = pa.table({"kept": [True, False, False, True], "size": [10, 20, None, 40]})
    part = write(store, 4, [older, newer], group=3)
    table = pa.concat_tables(part.tables(store))
    assert table.column("id").to_pylist() == [0, 3]
    assert table.column("text").to_pylist() == ["text 0", "text 3"]
    assert table.column("size").to_pylist() == [10, 40]
    assert table.column("old").to_pylist() == ["a", "d"]
    assert "kept" not in table.column_names
    narrow = pa.concat_tables(part.tables(store, ["size", "id"]))
    assert sorted(narrow.column_names) == ["id", "size"]
    assert pa.concat_tables(part.tables(store, ["size"])).to_pydict() == {"size": [10, 40]}


def test_a_mask_of_another_length_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    part = write(store, 4, [pa.table({"kept": [True, True]})])
    with pytest.raises(ValueError, match=r"mask-0\.parquet: 2 rows, but documents\.parquet has 4"):
        ids(part, store)


def test_batches_are_bounded_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "BATCH_ROWS", 4)
    store = Store(str(tmp_path))
    alive = [i % 3 > 0 for i in range(23)]
    part = write(store, 23, [pa.table({"kept": alive})])
    assert all(table.num_rows <= 4 for table in part.tables(store))
    assert ids(part, store, ["id"]) == [i for i in range(23) if alive[i]]


def test_json_keeps_a_part() -> None:
    part = Part(70_000, "s", "documents.parquet", 4, 3, 20, ("a", "b"))
    assert Part.from_json(part.to_json()) == part
    assert part.key == "part-70000"


def test_large_documents_come_a_few_at_a_time(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    books = [f"{i:04}" * 250_000 for i in range(40)]
    entry = store.write_table("books.parquet", documents(list(range(40)), books, "s", books[:40]))
    part = Part(0, "s", entry.path, 40, 40, sum(map(len, books)))
    tables = list(part.tables(store, ["text"]))
    assert [text for table in tables for text in table.column("text").to_pylist()] == books
    assert max(table.nbytes for table in tables) < 1.5 * part_module.BATCH_BYTES
