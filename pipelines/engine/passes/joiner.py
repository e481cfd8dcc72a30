"""The pass of a joiner: documents are shuffled by key through files, and the stage gets the groups of each bucket.

Four steps: keys (per part: key, id and size of each document) → elect (per range of keys: the groups, and the key that each
document goes by) → spread (per part: the texts of documents that share a key with others, by bucket) → generate (per
bucket). Only documents that share a key are written out again; a worker holds those of one part or one bucket.
"""

# Tested in tests/end_to_end/test_long_context.py.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import CONTROL, PARENT, SPANS, generated_partition, text_lengths
from eyas.corpus.part import BATCH_BYTES, Part
from eyas.corpus.sampling import hash_rank, mix
from eyas.corpus.shuffle import bucket_batches, bucket_count, bucket_of, read_bucket, write_buckets
from eyas.corpus.stage import Joiner, StageUnavailable
from eyas.corpus.task import Step, Steps, Task, TaskContext, TaskEntry, entries_of
from eyas.pipelines.engine.passes.base import PassState, Result
from eyas.pipelines.engine.passes.generator import publish
from eyas.pipelines.engine.passes.generator import typed as typed_columns
from eyas.pipelines.engine.passes.records import JoinedCounts, JoinedEntry, JoinSummary, KeysEntry
from eyas.pipelines.engine.passes.stage_line import split
from eyas.pipelines.engine.quarantine import guarded
from eyas.pipelines.recipe.only import Only

U64 = npt.NDArray[np.uint64]
KEY = "#key"
_CANDIDATES = pa.schema([("key", pa.uint64()), ("id", pa.uint64()), ("bytes", pa.int64())])
_ELECTED = pa.schema([("id", pa.uint64()), ("key", pa.uint64()), ("size", pa.int64())])


def work(state: PassState) -> Steps[Result[JoinSummary]]:
    """Keys, election, shuffle, generation."""
    layout = state.layout()
    target = layout.working_schema
    label, stage = state.stage(Joiner)
    parts = tuple(part for part in state.parts if part.kept)
    total = sum(part.text_bytes for part in parts)
    earlier = [part.with_moved(layout.moved.get(label, {})) for part in state.parts]
    result = Result[JoinSummary](books={label: {}}, parts=earlier, summary={})
    if not parts:
        return result
    # A candidate takes 24 bytes, and documents have one key or some dozens.
    ranges = bucket_count(24 * 16 * sum(part.kept for part in parts), stage.bucket_bytes)
    buckets = bucket_count(total, stage.bucket_bytes)
    only = state.current.stages[0].only
    keyings = [
        Task(part.key, partial(_keys, part, only, label, stage, total, ranges), part.text_bytes) for part in parts
    ]
    keyed = yield from entries_of(Step.of("keys", keyings))
    refused = [refusal for entry in keyed for refusal in entry["refused"]]
    elections = [Task(f"range-{r:04d}", partial(_elect, r, parts, stage)) for r in range(ranges)]
    yield Step.of("elect", elections)
    names = [task.key for task in elections]
    spreads = [
        Task(part.key, partial(_spread, place, part, stage, names, buckets), part.text_bytes)
        for place, part in enumerate(parts)
    ]
    yield Step.of("spread", spreads)
    generate = partial(_generate, [part.key for part in parts], state.current.generator, label, stage, target)
    joins = [Task(f"bucket-{b:04d}", partial(generate, b, [] if b else refused)) for b in range(buckets)]
    entries = yield from entries_of(Step.of("generate", joins))
    result.collect(entries)
    result.summary = {"joined": _summary(entries)}
    return result


def _keys(
    part: Part, only: Only | None, label: str, stage: Joiner, total: int, ranges: int, context: TaskContext
) -> KeysEntry:
    """The keys of each document of a part, by range of keys; id and error of those on which the stage raises."""
    stage.open(context)
    stage.prepare()
    pieces = [_CANDIDATES.empty_table()]
    refused: list[tuple[int, str]] = []
    columns = [*_columns(stage), *(only.columns() if only is not None else ())]
    for docs in part.tables(context.store, list(dict.fromkeys(columns))):
        docs = split(docs, only)[0]
        docs = docs.filter(_free(docs))
        keyed, refusals = guarded(label, lambda piece: stage.keys(piece, context.seed, total), docs)
        refused += [(refusal.id, f"{refusal.reason}: {refusal.detail}") for refusal in refusals]
        for piece, keys in keyed:
            counts = pc.list_value_length(keys).to_numpy(zero_copy_only=False)
            owners = np.repeat(np.arange(len(counts)), counts)
            ids, sizes = piece.column("id").to_numpy()[owners], text_lengths(piece)[owners]
            pieces.append(pa.table([keys.flatten(), pa.array(ids), pa.array(sizes)], schema=_CANDIDATES))
    table = pa.concat_tables(pieces)
    path = f"{context.folder}/keys/{part.key}.arrow"
    bucket = bucket_of(mix(table.column("key").to_numpy()), ranges)
    return {"files": [write_buckets(context.store, path, table, bucket, ranges).to_json()], "refused": refused}


def _columns(stage: Joiner) -> list[str]:
    return ["id", "text", "source", "origin", *stage.columns_needed(), CONTROL.name, SPANS.name]


def _free(docs: pa.Table) -> pa.Array:
    """Which documents may be joined: those that no stage has joined or put control tokens into."""
    free = pa.array(np.ones(docs.num_rows, np.bool_))
    for name in (CONTROL.name, SPANS.name):
        if name in docs.column_names:
            free = pc.and_(free, pc.is_null(docs.column(name)))
    return free


def _elect(number: int, parts: Sequence[Part], stage: Joiner, context: TaskContext) -> TaskEntry:
    """The groups of a range of keys: each member with its key and how many share it, by part."""
    paths = [f"{context.folder}/keys/{part.key}.arrow" for part in parts]
    rows = read_bucket(context.store, paths, number)
    key, ids, sizes = (rows.column(name).to_numpy() for name in _CANDIDATES.names)
    # Stable: ids ascend within a key, because parts come in order. A key that a document has twice counts once.
    order = np.argsort(key, kind="stable")
    key, ids, sizes = key[order], ids[order], sizes[order]
    distinct = np.ones(len(key), np.bool_)
    distinct[1:] = (key[1:] != key[:-1]) | (ids[1:] != ids[:-1])
    key, ids, sizes = key[distinct], ids[distinct], sizes[distinct]
    _, group, members = np.unique(key, return_inverse=True, return_counts=True)
    chosen = (members > 1) & (members <= (stage.largest_group() or len(key) + 1))
    used = chosen[group] & (hash_rank(key, context.seed) / 2.0**64 < stage.share)
    elected = pa.table(
        [
            pa.array(ids[used]),
            pa.array(_cut(key, group, sizes, stage.bucket_bytes)[used]),
            pa.array(members[group][used]),
        ],
        schema=_ELECTED,
    )
    places = np.searchsorted([part.number for part in parts], (ids[used] >> np.uint64(32)).astype(np.int64))
    path = f"{context.folder}/elected/range-{number:04d}.arrow"
    return {"files": [write_buckets(context.store, path, elected, places, len(parts)).to_json()]}


def _cut(key: U64, group: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], most: int) -> U64:
    """Keys such that no group has much more than `most` bytes: a larger group is cut in the order of its documents."""
    if not len(key):
        return key
    before = np.cumsum(sizes) - sizes
    first = np.flatnonzero(np.diff(group, prepend=-1))
    piece = (before - before[first][group]) // most
    return np.where(piece == 0, key, mix(key + piece.astype(np.uint64)))


def _spread(
    place: int, part: Part, stage: Joiner, names: Sequence[str], buckets: int, context: TaskContext
) -> TaskEntry:
    """The documents of a part that share a key with others, by bucket of their keys."""
    paths = [f"{context.folder}/elected/{name}.arrow" for name in names]
    ids, keys = _best(read_bucket(context.store, paths, place))
    extra = [(name, kind) for name, kind in _kinds(part, stage, context)]
    target = pa.schema([("id", pa.uint64()), ("text", pa.large_string()), ("source", pa.string()),
                        ("origin", pa.string()), *extra, (KEY, pa.uint64())])  # fmt: skip
    pieces = [target.empty_table()]
    for docs in part.tables(context.store, _columns(stage)) if len(ids) else ():
        index = np.minimum(np.searchsorted(ids, docs.column("id").to_numpy()), len(ids) - 1)
        is_member = pa.array(ids[index] == docs.column("id").to_numpy())
        docs = docs.append_column(KEY, pa.array(keys[index])).filter(is_member)
        pieces.append(docs.select(target.names).cast(target))
    table = pa.concat_tables(pieces)
    bucket = bucket_of(mix(table.column(KEY).to_numpy()), buckets)
    path = f"{context.folder}/spread/{part.key}.arrow"
    return {"files": [write_buckets(context.store, path, table, bucket, buckets).to_json()]}


def _kinds(part: Part, stage: Joiner, context: TaskContext) -> Iterator[tuple[str, pa.DataType]]:
    """The other columns that the stage needs, with their types."""
    wanted = stage.columns_needed()
    if not wanted:
        return
    known = next(part.tables(context.store, list(wanted))).schema
    for name in wanted:
        yield name, known.field(name).type


def _best(rows: pa.Table) -> tuple[U64, U64]:
    """Ids, ascending, and for each the key that most documents share; the lowest of several."""
    ids, keys, size = (rows.column(name).to_numpy() for name in _ELECTED.names)
    order = np.lexsort((keys, -size, ids))
    ids, keys = ids[order], keys[order]
    first = np.flatnonzero(np.concatenate([np.ones(min(len(ids), 1), np.bool_), ids[1:] != ids[:-1]]))
    return ids[first], keys[first]


def _generate(
    keys: Sequence[str],
    generator: int,
    label: str,
    stage: Joiner,
    target: pa.Schema,
    bucket: int,
    refused: Sequence[tuple[int, str]],
    context: TaskContext,
) -> JoinedEntry:
    """Joins the groups of a bucket. refused: documents without a key because the stage raised."""
    stage.open(context)
    stage.prepare()
    paths = [f"{context.folder}/spread/{key}.arrow" for key in keys]
    docs = pa.Table.from_batches(list(bucket_batches(context.store, paths, bucket)))
    lengths: list[int] = []
    parents = 0

    def pieces() -> Iterator[tuple[pa.Table, pa.Table]]:
        nonlocal parents
        if refused:
            yield docs.slice(0, 0), _failed([[document] for document, _ in refused], [error for _, error in refused])
        for joined, texts in _batches(stage, docs, context.seed):
            whole = texts.filter(pc.is_valid(texts.column("text")))
            lengths.extend(text_lengths(whole).tolist())
            parents += pc.sum(pc.list_value_length(whole.column(PARENT.name))).as_py() or 0
            yield joined, texts

    entry = publish(label, stage, generated_partition(generator, bucket), pieces(), target, context)
    powers = np.bincount([length.bit_length() for length in lengths]).tolist() if lengths else []
    return {
        **entry,
        "lengths": powers,
        "longest": max(lengths, default=0),
        "text_bytes": sum(lengths),
        "parents": parents,
    }


def _batches(stage: Joiner, docs: pa.Table, seed: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Groups and the texts joined from them, several at a time, because each table has a cost of its own."""
    # One array for each column, in the order of groups: taking rows out of many chunks was two thirds of the time.
    docs = docs.take(pa.array(np.argsort(docs.column(KEY).to_numpy(), kind="stable"))).combine_chunks()
    keys = docs.column(KEY).to_numpy()
    starts = np.flatnonzero(np.diff(keys, prepend=~keys[:1])).tolist()
    groups, texts, size = [], [], 0
    for start, end in zip(starts, [*starts[1:], len(keys)][: len(starts)], strict=True):
        group = docs.slice(start, end - start).drop_columns([KEY])
        joined = _joined(stage, group, seed)
        if not joined.num_rows:
            continue
        groups.append(group)
        texts.append(joined)
        size += int(text_lengths(group).sum())
        if size >= BATCH_BYTES:
            yield pa.concat_tables(groups), pa.concat_tables(texts, promote_options="default")
            groups, texts, size = [], [], 0
    if groups:
        yield pa.concat_tables(groups), pa.concat_tables(texts, promote_options="default")


def _joined(stage: Joiner, group: pa.Table, seed: int) -> pa.Table:
    """What the stage joins of a group; one row with the error if it raises, because a group is joined whole or not at all."""
    try:
        return typed_columns(stage.generate(group, seed))
    except (StageUnavailable, MemoryError):
        raise
    except Exception as error:  # a user's stage may raise anything; the ledger records it
        return _failed([group.column("id").to_pylist()], [f"{type(error).__name__}: {error}"])


def _failed(parents: list[list[int]], errors: list[str]) -> pa.Table:
    """Rows of a generator's table that hold errors instead of texts."""
    rows = {"text": pa.nulls(len(errors), pa.large_string()), PARENT.name: parents, "error": errors}
    return typed_columns(pa.table(rows))


def _summary(entries: Sequence[JoinedEntry]) -> JoinedCounts:
    """How many texts were joined from how many documents, and how long they are."""
    counts: dict[int, int] = {}
    for entry in entries:
        for power, count in enumerate(entry["lengths"]):
            counts[power] = counts.get(power, 0) + count
    return {
        "texts": sum(counts.values()),
        "documents": sum(entry["parents"] for entry in entries),
        "text_bytes": sum(entry["text_bytes"] for entry in entries),
        "longest": max((entry["longest"] for entry in entries), default=0),
        "lengths": {f"{1 << power}": count for power, count in sorted(counts.items()) if count},
    }
