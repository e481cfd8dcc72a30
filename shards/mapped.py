"""Memory-mapped shard files: one kernel copies the rows of a batch from their addresses, even out of many files.

To build a batch from Arrow objects takes 5 µs per row of 2,048 tokens, four times as long as to copy it. So the addresses
of each record batch's columns are noted once, and kernels read there. The trade: a kernel trusts the addresses, so files
are checked when they are opened, and must not be truncated while they are mapped (which holds for every mapped file).
"""

# Tested in tests/shards/test_loader.py.

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import carray, types
from numba.extending import intrinsic
from pyarrow import ipc

from eyas.errors import InputError
from eyas.shards.format import ROWS_PER_BATCH, Columns, Index, IndexedFile, ShardMeta
from eyas.text_kernels.jit import kernel, part
from eyas.text_kernels.wide_loads import prefetch

I64 = npt.NDArray[np.int64]


class MappedFile:
    """One file. `places`: int64[record batches, 5], the addresses of ids, list bounds, lengths, documents and offsets.

    Raises InputError, naming `path`, if it is no Arrow file, belongs to another set, or has not as many rows as in the index.
    """

    def __init__(self, local: str, path: str, index: Index, entry: IndexedFile) -> None:
        try:
            with open(local, "rb") as file:
                self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            buffer = pa.py_buffer(self.map)
            reader = ipc.open_file(pa.BufferReader(buffer))
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except (ValueError, pa.ArrowInvalid) as error:
            raise InputError(f"{path}: missing or damaged ({error}); make the shards again") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be mapped: {error.strerror or error}") from error
        if ShardMeta.of(reader.schema, path) != (index.meta, entry.source):
            raise InputError(f"{path}: belongs to another set of shards than index.json")
        rows = [batch.num_rows for batch in batches]
        if sum(rows) != entry.rows or any(size != ROWS_PER_BATCH for size in rows[:-1]):
            raise InputError(
                f"{path}: holds {sum(rows):,} rows, but index.json states {entry.rows:,}; make the shards again"
            )
        self.address = buffer.address
        for number, batch in enumerate(batches):
            if problem := _unsafe(batch, index.sequence_length, buffer):
                raise InputError(
                    f"{path}: damaged: record batch {number}: {problem}; make the shards again, or copy them anew"
                )
        self.places = np.array([_addresses(batch) for batch in batches], np.int64).reshape(-1, 5)

    def read_ahead(self, address: int, length: int) -> None:
        """Asks the system to read these bytes ahead, without waiting."""
        begin = (address - self.address) // mmap.PAGESIZE * mmap.PAGESIZE
        self.map.madvise(mmap.MADV_WILLNEED, begin, address - self.address - begin + length)


def _unsafe(batch: pa.RecordBatch, length: int, file: pa.Buffer) -> str:
    """The reason why a kernel must not read at the batch's addresses, or "" if it may."""
    ids, lists = batch.column(Columns.INPUT_IDS), [batch.column(name) for name in Columns.PIECES]
    if any(column.null_count for column in batch.columns):
        return "it has nulls"
    first = lists[0].offsets.to_numpy()
    if len(first) != batch.num_rows + 1 or first[0] < 0 or (np.diff(first) < 0).any():
        return "its lists have impossible bounds"
    needed = [(ids.values, batch.num_rows * length)]
    for column in lists:
        if not np.array_equal(column.offsets.to_numpy(), first):
            return "its lists differ in length"
        needed.append((column.values, int(first[-1])))
    for values, count in needed:
        buffer = values.buffers()[1]
        if count and (buffer is None or buffer.size < count * values.type.bit_width // 8):
            return "its columns are too short"
        if count and not file.address <= buffer.address <= file.address + file.size - buffer.size:
            return "it is compressed"
    return ""


def allow_files(count: int) -> None:
    """Raises the limit of open files by `count`, as far as the system allows: a mapped file takes a descriptor."""
    try:
        import resource
    except ImportError:  # not a Unix: no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _addresses(batch: pa.RecordBatch) -> list[int]:
    lists = [batch.column(name) for name in Columns.PIECES]
    buffers = [
        batch.column(Columns.INPUT_IDS).values.buffers()[1],
        lists[0].buffers()[1],
        *(column.values.buffers()[1] for column in lists),
    ]
    return [0 if buffer is None else buffer.address for buffer in buffers]


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(_context: Any, address: Any) -> Any:
    """An address as a pointer, from which `carray` makes an array."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], _context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


@kernel
def copy_ids(addresses: I64, wide: bool, ids: I64) -> None:
    """Row i of `ids` ([rows, T]) gets the T ids at `addresses[i]`: uint32 if `wide`, else uint16.

    Rows lie anywhere, so no processor can predict their addresses. Each is prefetched while the one before it is copied.
    """
    length = ids.shape[1]
    size = length * (4 if wide else 2)
    for i in range(len(addresses)):
        following = carray(_pointer(addresses[min(i + 1, len(addresses) - 1)]), (size,), np.uint8)
        for line in range(0, size, 64):
            prefetch(following, line)
        if wide:
            narrow_32 = carray(_pointer(addresses[i]), (length,), np.uint32)
            for k in range(length):
                ids[i, k] = narrow_32[k]
        else:
            narrow_16 = carray(_pointer(addresses[i]), (length,), np.uint16)
            for k in range(length):
                ids[i, k] = narrow_16[k]


@kernel
def copy_bytes(addresses: I64, rows: npt.NDArray[np.uint8]) -> None:
    """Row i of `rows` ([rows, bytes]) gets the bytes at `addresses[i]`."""
    for i in range(len(addresses)):
        following = carray(_pointer(addresses[min(i + 1, len(addresses) - 1)]), (rows.shape[1],), np.uint8)
        for line in range(0, rows.shape[1], 64):
            prefetch(following, line)
        row = carray(_pointer(addresses[i]), (rows.shape[1],), np.uint8)
        for k in range(rows.shape[1]):
            rows[i, k] = row[k]


@part
def _bounds(address: int) -> tuple[int, int]:
    both = carray(_pointer(address), (2,), np.int32)
    return both[0], both[1]


@kernel
def write_segments(bounds: I64, lengths: I64, segments: npt.NDArray[np.int32]) -> None:
    """Row i of `segments` ([rows, T]) gets the number of each token's piece, -1 for padding.

    `bounds[i]`: the address of the row's two list bounds. `lengths[i]`: the address of the lengths of its record batch.
    """
    for i in range(len(bounds)):
        first, last = _bounds(bounds[i])
        sizes = carray(_pointer(lengths[i]), (last,), np.int32)
        column = 0
        for piece in range(first, last):
            segments[i, column : column + sizes[piece]] = piece - first
            column += sizes[piece]
        segments[i, column:] = -1


@kernel
def count_pieces(bounds: I64, counts: I64) -> None:
    """`counts[i]` gets the number of pieces of row i."""
    for i in range(len(bounds)):
        first, last = _bounds(bounds[i])
        counts[i] = last - first


@kernel
def copy_pieces(
    bounds: I64,
    sizes_at: I64,
    names_at: I64,
    starts_at: I64,
    lengths: npt.NDArray[np.int32],
    documents: npt.NDArray[np.uint64],
    offsets: I64,
) -> None:
    """Copies the pieces of rows, one after another. The first four arguments are addresses by row, the others outputs."""
    count = 0
    for i in range(len(bounds)):
        first, last = _bounds(bounds[i])
        sizes = carray(_pointer(sizes_at[i]), (last,), np.int32)
        names = carray(_pointer(names_at[i]), (last,), np.uint64)
        starts = carray(_pointer(starts_at[i]), (last,), np.int64)
        for piece in range(first, last):
            lengths[count], documents[count], offsets[count] = sizes[piece], names[piece], starts[piece]
            count += 1
