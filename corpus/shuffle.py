"""A shuffle through files: one task writes rows in buckets, another reads one bucket of many files.

Each file is Arrow IPC with exactly one record batch per bucket, empty ones too, so bucket b is batch b: no index, no
row-group statistics, and a footer of a few bytes per bucket (reducers that read Parquet footers once read
46 GB of them: marin PR#8301). A task holds the rows of one file, or of one bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from eyas.corpus.store import FileEntry, Store

_OPTIONS = ipc.IpcWriteOptions(compression="lz4")


def bucket_count(total_bytes: float, bucket_bytes: float) -> int:
    """How many buckets of about `bucket_bytes` hold `total_bytes`; between 1 and 4,096."""
    return int(min(max(-(-total_bytes // bucket_bytes), 1), 4096))


def bucket_of(hashes: npt.NDArray[np.uint64], buckets: int) -> npt.NDArray[np.int64]:
    """The bucket of each 64-bit hash: equal ranges of the upper 32 bits."""
    return ((hashes >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)


def write_buckets(store: Store, path: str, table: pa.Table, bucket: npt.NDArray[np.int64], buckets: int) -> FileEntry:
    """Writes the rows of `table`, row i into bucket `bucket[i]`, keeping their order within each bucket."""
    order = np.argsort(bucket, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    ends = np.searchsorted(bucket[order], np.arange(buckets), side="right")
    starts = [0, *ends[:-1].tolist()]
    slices = (table.slice(start, end - start) for start, end in zip(starts, ends.tolist(), strict=True))
    return write_in_order(store, path, table.schema, slices)


def write_in_order(store: Store, path: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> FileEntry:
    """Writes each table as a bucket, in their order."""
    with store.create(path) as output, ipc.new_file(output.sink, schema, options=_OPTIONS) as writer:
        output.rows = 0
        for table in tables:
            batches = table.combine_chunks().to_batches()
            writer.write_batch(batches[0] if batches else _empty(schema))
            output.rows += table.num_rows
    return output.published()


def read_bucket(store: Store, paths: Iterable[str], bucket: int) -> pa.Table:
    """All rows of one bucket of the files `paths`, in the order of the files."""
    batches = list(bucket_batches(store, paths, bucket))
    assert batches, "read_bucket() of no files"
    return pa.Table.from_batches(batches)


def bucket_batches(store: Store, paths: Iterable[str], bucket: int) -> Iterator[pa.RecordBatch]:
    """The rows of one bucket, file by file."""
    for path in paths:
        with store.open(path) as file:
            yield ipc.open_file(file).get_batch(bucket)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
