"""A shuffle through files: one task writes rows in buckets, another reads one bucket of many files.

Each file is Arrow IPC with exactly one record batch per bucket, empty ones too, so bucket b is batch b: no index, no
row-group statistics, and a footer of a few bytes per bucket (reducers that read Parquet footers once read
46 GB of them: marin PR#8301). Memory is that of one file's rows, or of one bucket.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import ipc

from corpus.store import FileEntry, Store

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
    with store.create(path) as output, ipc.new_file(output.sink, table.schema, options=_OPTIONS) as writer:
        start = 0
        for end in ends:
            batches = table.slice(start, end - start).to_batches()
            writer.write_batch(batches[0] if batches else _empty(table.schema))
            start = int(end)
        output.rows = table.num_rows
    return output.published()


def read_bucket(store: Store, paths: Iterable[str], bucket: int) -> pa.Table:
    """All rows of one bucket of the files `paths`, in the order of the files."""
    batches: list[pa.RecordBatch] = []
    schema: pa.Schema | None = None
    for path in paths:
        with store.open(path) as file:
            reader = ipc.open_file(file)
            schema = reader.schema
            batches.append(reader.get_batch(bucket))
    assert schema is not None, "read_bucket() of no files"
    return pa.Table.from_batches(batches, schema=schema)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
