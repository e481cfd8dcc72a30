"""The shuffle: every row lands once in its bucket, in order, and the file's bytes depend on nothing but the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.shuffle import bucket_count, bucket_of, read_bucket, write_buckets
from eyas.corpus.store import Store

HASHES = st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**32 - 1, 2**32, 2**63, 2**64 - 1])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("shuffle")))


def rows_of(hashes: list[int], first: int) -> pa.Table:
    lists = [list(range(value % 4)) for value in hashes]
    number = pa.array(range(first, first + len(hashes)), pa.uint64())
    return pa.table(
        {"hash": pa.array(hashes, pa.uint64()), "row": number, "list": pa.array(lists, pa.large_list(pa.uint64()))}
    )


@settings(deadline=None)
@given(HASHES, st.integers(1, 4096))
def test_a_bucket_is_an_equal_range_of_hashes(value: int, buckets: int) -> None:
    assert bucket_of(np.array([value], np.uint64), buckets).tolist() == [(value >> 32) * buckets >> 32]


@pytest.mark.parametrize(("size", "each", "expected"), [(0, 10, 1), (10, 10, 1), (11, 10, 2), (1e15, 1, 4096)])
def test_as_many_buckets_as_the_bytes_need(size: float, each: float, expected: int) -> None:
    assert bucket_count(size, each) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(HASHES, max_size=30), min_size=1, max_size=3), st.integers(1, 9))
def test_every_row_lands_once_in_its_bucket_in_order(store: Store, files: list[list[int]], buckets: int) -> None:
    tables, paths, first = [], [], 0
    for number, hashes in enumerate(files):
        tables.append(rows_of(hashes, first))
        paths.append(f"shuffle/{number}.arrow")
        entry = write_buckets(store, paths[-1], tables[-1], bucket_of(np.array(hashes, np.uint64), buckets), buckets)
        assert entry.rows == len(hashes)
        first += len(hashes)
    everything = pa.concat_tables(tables)
    for bucket in range(buckets):
        wanted = [(value >> 32) * buckets >> 32 == bucket for value in everything.column("hash").to_pylist()]
        assert read_bucket(store, paths, bucket).equals(everything.filter(pa.array(wanted, pa.bool_())))


@settings(deadline=None, max_examples=40)
@given(st.lists(HASHES, min_size=1, max_size=30), st.integers(1, 5), st.data())
def test_the_same_rows_give_the_same_bytes_however_they_are_chunked(
    store: Store, hashes: list[int], buckets: int, data: st.DataObject
) -> None:
    table = rows_of(hashes, 0)
    cut = data.draw(st.integers(0, len(hashes)))
    # A slice of a longer table, in two chunks: other buffers, the same rows.
    longer = pa.concat_tables([rows_of([1, 2, 3], 90), table]).combine_chunks().slice(3)
    chunked = pa.concat_tables([longer.slice(0, cut), longer.slice(cut)])
    bucket = bucket_of(np.array(hashes, np.uint64), buckets)
    whole = write_buckets(store, "same/whole.arrow", table, bucket, buckets)
    pieces = write_buckets(store, "same/pieces.arrow", chunked, bucket, buckets)
    assert whole.sha256 == pieces.sha256


def test_a_damaged_shuffle_file_is_no_silent_loss(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    write_buckets(store, "x.arrow", rows_of([1, 2, 3], 0), np.zeros(3, np.int64), 1)
    (tmp_path / "x.arrow").write_bytes((tmp_path / "x.arrow").read_bytes()[:-20])
    with pytest.raises((pa.ArrowInvalid, OSError)):
        read_bucket(store, ["x.arrow"], 0)
