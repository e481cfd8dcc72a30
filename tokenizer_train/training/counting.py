"""Counts a corpus's pretokens on many machines in bounded memory: a table per part, shuffled by hash, added up.

A part's table spills when it reaches its share of the budget. One task then adds up one range of hashes from all parts and
writes it sorted, as Parquet. Counts are sums, so nothing depends on where or when a task ran. With weights, a document
counts in thousandths, and only the sum is rounded. 100 MB of text leave 24 MB of counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus.part import Part
from eyas.corpus.sampling import hash_rank
from eyas.corpus.shuffle import bucket_batches, bucket_count, bucket_of, write_buckets
from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import Entry, Task, TaskContext
from eyas.errors import InputError
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.text_kernels.pretokens.table import keys
from eyas.text_kernels.utf8 import buffers
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.pretokenizer import Pretokenizer

UNIT: Final = 1000
"""The count of a document of weight 1, where there are weights."""
SCHEMA: Final = pa.schema([("pretoken", pa.large_binary()), ("count", pa.uint64())])
_STEPS: Final = np.concatenate([np.arange(1, 65), 64 * 1.25 ** np.arange(1, 120)]).astype(np.uint64)


def thresholds(options: TokenizerOptions) -> npt.NDArray[np.uint64]:
    """`min_count`, and the counts that it may be raised to."""
    return np.unique(np.append(_STEPS, np.uint64(options.min_count)))


def bucket_number(parts: Sequence[Part], options: TokenizerOptions) -> int:
    """Number of ranges of hashes. A range takes a quarter of the budget if counting keeps one byte in three."""
    return bucket_count(sum(part.text_bytes for part in parts) * 3, int(options.memory) / 4)


def count_tasks(parts: Sequence[Part], options: TokenizerOptions, buckets: int) -> Iterator[Task]:
    """One task for each part, which writes its pretokens and counts in `buckets` ranges of hashes."""
    total = sum(part.text_bytes for part in parts)
    share = min(1.0, int(options.train_bytes) / max(total, 1))
    for part in parts:
        yield Task(part.key, partial(_count, part, options, share, buckets), part.text_bytes)


def _count(part: Part, options: TokenizerOptions, share: float, buckets: int, context: TaskContext) -> Entry:
    files: list[FileEntry] = []

    def spill(pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64]) -> None:
        path = f"{context.folder}/counts/{part.key}-{len(files):03d}.arrow"
        table = pa.table([pretokens, pa.array(counts)], schema=SCHEMA)
        files.append(write_buckets(context.store, path, table, bucket_of(hashes(pretokens), buckets), buckets))

    counter = PretokenCounts(int(options.memory) / 2, spill)
    rules = Pretokenizer.of(options).rules
    totals: dict[str, dict[str, float]] = {}
    for docs in part.tables(context.store, ["id", "text", "source", "lang"]):
        if share < 1.0:
            limit = np.uint64(min(share * 2.0**64, 2.0**64 - 2**11))
            docs = docs.filter(pa.array(hash_rank(docs.column("id").to_numpy(), context.seed) <= limit))
        weights = _weights(docs, options)
        _add_up(docs, weights, totals)
        if weights is not None:
            docs, weights = docs.filter(pa.array(weights > 0)), weights[weights > 0]
        counter.add(docs.column("text"), rules, weights)
    counter.flush()
    return {"files": [file.to_json() for file in files], "mixture": totals}


def _weights(docs: pa.Table, options: TokenizerOptions) -> npt.NDArray[np.uint64] | None:
    """The weight of each document, in units; None without weights."""
    mixture = options.weights
    if not mixture.source and not mixture.lang:
        return None
    weights = np.ones(docs.num_rows)
    for name, values in (("source", mixture.source), ("lang", mixture.lang)):
        if values and name in docs.column_names:
            column = docs.column(name).cast(pa.string()).to_pylist()
            weights *= [values.get(value, 1.0) for value in column]
    # The product of two small weights must not round to 0, which leaves a document out.
    return np.where(weights > 0, np.maximum(np.round(weights * UNIT), 1), 0).astype(np.uint64)


def _add_up(docs: pa.Table, weights: npt.NDArray[np.uint64] | None, totals: dict[str, dict[str, float]]) -> None:
    """Adds bytes and weighted bytes to `totals`, by source and language."""
    size = pc.binary_length(docs.column("text")).to_numpy().astype(np.float64)
    weighted = size if weights is None else size * (weights / UNIT)
    for name in ("source", "lang"):
        if name not in docs.column_names:
            continue
        sums = pa.table({"name": docs.column(name).cast(pa.string()), "bytes": size, "weighted": weighted})
        for row in sums.group_by("name").aggregate([("bytes", "sum"), ("weighted", "sum")]).to_pylist():
            total = totals.setdefault(f"{name}: {row['name']}", {"bytes": 0.0, "weighted": 0.0})
            total["bytes"] += row["bytes_sum"]
            total["weighted"] += row["weighted_sum"]


def merge_tasks(paths: Sequence[str], size: int, options: TokenizerOptions, buckets: int) -> Iterator[Task]:
    """One task for each range, which adds up its counts in all files of `count_tasks`. `size`: bytes of these files."""
    unit = UNIT if options.weights.source or options.weights.lang else 1
    for bucket in range(buckets):
        run = partial(_merge, tuple(paths), bucket, unit, options)
        yield Task(f"range-{bucket:04d}", run, size // buckets)


def _merge(paths: Sequence[str], bucket: int, unit: int, options: TokenizerOptions, context: TaskContext) -> Entry:
    table = PretokenCounts()
    for batch in bucket_batches(context.store, paths, bucket):
        table.add_counted(batch.column("pretoken"), batch.column("count").to_numpy())
    pretokens, counts = table.counts()
    counts = (counts + np.uint64(unit // 2)) // np.uint64(unit)
    order = pc.sort_indices(pretokens)
    sorted_counts = counts[order.to_numpy()]
    merged = pa.table([pretokens.take(order), pa.array(sorted_counts)], schema=SCHEMA)
    path = f"tokenizer/pretokens/part-{bucket:05d}.parquet"
    with context.store.create(path) as output:
        pq.write_table(merged, output.sink, compression="zstd", row_group_size=1 << 17)
        output.rows = merged.num_rows
    lengths = pc.binary_length(merged.column("pretoken")).to_numpy()
    return {
        "files": [output.published().to_json()],
        "histogram": _histogram(sorted_counts, lengths, thresholds(options)),
    }


def _histogram(
    counts: npt.NDArray[np.uint64], lengths: npt.NDArray[np.int64], steps: npt.NDArray[np.uint64]
) -> dict[str, list[int]]:
    """Sums by the number of `steps` that a count reaches: pretokens, cells of the merge loop, occurrences, bytes of text."""
    place = np.searchsorted(steps, counts, side="right")
    sums = {"pretokens": np.ones(len(counts)), "cells": lengths + 1.0, "occurrences": counts, "bytes": lengths * counts}
    return {
        name: np.bincount(place, np.asarray(values, np.float64), len(steps) + 1).astype(np.int64).tolist()
        for name, values in sums.items()
    }


def choose_min_count(
    histograms: Sequence[dict[str, list[int]]], options: TokenizerOptions, cell_bytes: float
) -> dict[str, Any]:
    """The least count to learn from, and how much that leaves out.

    It is the option `min_count`, or the least step at which the merge loop needs no more than `memory`, with `cell_bytes`
    for each cell.
    """
    steps = thresholds(options)
    sums = {name: np.sum([histogram[name] for histogram in histograms], axis=0) for name in histograms[0]}
    # above[i + 1]: memory for the pretokens whose count reaches steps[i].
    above = np.cumsum(sums["cells"][::-1])[::-1] * cell_bytes
    fits = np.flatnonzero((above[1:] <= int(options.memory)) & (steps >= options.min_count))
    if not len(fits) or (sums["cells"].any() and not above[fits[0] + 1]):
        raise InputError(f"tokenizer: `memory` of {int(options.memory):,} bytes holds no pretoken at all: raise it")
    place = int(fits[0])
    return {
        "min_count": int(steps[place]),
        "raised_for_memory": int(steps[place]) > options.min_count,
        "pretokens": int(sums["pretokens"].sum()),
        "pruned_pretokens": int(sums["pretokens"][: place + 1].sum()),
        "occurrences": int(sums["occurrences"].sum()),
        "pruned_text": int(sums["bytes"][: place + 1].sum()) / max(int(sums["bytes"].sum()), 1),
    }


def read_counts(store: Store, paths: Sequence[str], least: int) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.uint64]]:
    """The pretokens that occur at least `least` times, and their counts."""
    tables = [SCHEMA.empty_table()]
    for path in paths:
        tables.append(store.read_table(path, filters=pc.field("count") >= least).cast(SCHEMA))
    whole = pa.concat_tables(tables).combine_chunks()
    pretokens = whole.column("pretoken").combine_chunks()
    return pretokens, whole.column("count").to_numpy().copy()


def hashes(pretokens: pa.LargeBinaryArray) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each pretoken."""
    data, offsets = buffers(pretokens.view(pa.large_string()))
    hashed = np.empty(len(pretokens), np.uint64)
    _hash(data, offsets, hashed)
    return hashed


@kernel
def _hash(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], hashed: npt.NDArray[np.uint64]) -> None:
    for row in range(len(hashed)):
        hashed[row] = keys(data, offsets[row], offsets[row + 1] - offsets[row])[2]
