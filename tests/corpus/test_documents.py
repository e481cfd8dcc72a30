"""The document table: ids that sort and never meet, one schema for all parts, and sizes counted in UTF-8 bytes."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.documents import (
    COLUMNS,
    MAX_ROWS,
    conform,
    document_id,
    documents,
    generated_partition,
    partition_of,
    schema,
    text_bytes,
)

POSITIONS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, MAX_ROWS - 1))


@settings(deadline=None)
@given(st.lists(POSITIONS, unique=True, min_size=1))
def test_ids_sort_as_partition_then_row_and_lead_back(positions: list[tuple[int, int]]) -> None:
    ids = [document_id(*position) for position in sorted(positions)]
    assert all(low < high for low, high in pairwise(ids))
    assert [partition_of(i) for i in ids] == [partition for partition, _ in sorted(positions)]
    assert pa.array(ids, pa.uint64()).to_pylist() == ids


@pytest.mark.parametrize("row", [-1, MAX_ROWS])
def test_a_row_that_does_not_fit_is_refused_with_what_to_do(row: int) -> None:
    with pytest.raises(ValueError, match="partition_bytes"):
        document_id(0, row)


def test_partitions_of_generators_never_meet_even_when_one_feeds_the_next() -> None:
    originals = [0, 1, 77, 2**24 - 1]
    existing = list(originals)
    for generator in (1, 2, 3):
        existing += [generated_partition(generator, partition) for partition in existing]
    assert len(set(existing)) == len(existing)
    assert max(existing) < 2**32
    # What comes from the same partition can be told from the lower bits.
    assert {partition & (2**24 - 1) for partition in existing} == set(originals)


@pytest.mark.parametrize(("generator", "partition"), [(0, 1), (9, 1), (1, 2**32)])
def test_a_generator_out_of_range_is_refused(generator: int, partition: int) -> None:
    with pytest.raises(ValueError, match="generator"):
        generated_partition(generator, partition)


def test_conform_gives_tables_of_different_columns_one_schema() -> None:
    target = schema({"lang": pa.string(), "score": pa.float32()})
    plain = documents([0, 1], ["a", "b"], "web", ["x#0", "x#1"])
    richer = documents([2], ["c"], "code", ["y"], {"lang": pa.array(["en"]), "unwanted": pa.array([1])})
    joined = pa.concat_tables([conform(plain, target), conform(richer, target)])
    assert joined.schema == target
    assert joined.column_names[:4] == list(COLUMNS)
    assert joined.column("lang").to_pylist() == [None, None, "en"]
    assert joined.column("source").to_pylist() == ["web", "web", "code"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=20)), st.data())
def test_text_bytes_counts_utf8_of_the_rows_that_are_there(texts: list[str], data: st.DataObject) -> None:
    table = documents(list(range(len(texts))), texts, "s", texts)
    start = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(start, len(texts)))
    pieces = pa.concat_tables([table.slice(start, stop - start), table.slice(stop)])
    assert text_bytes(pieces) == sum(len(text.encode()) for text in texts[start:])
