"""Curated documents to shards: encode, pack, write, and count every token on the way.

Parts are grouped by bytes alone, so the files are the same whatever the number of workers. The promise that is checked
on every file: tokens in = tokens out, and no document shorter than a row is split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.part import Part
from corpus.task import Entry, Step, Task, TaskContext
from shards.format import Index, IndexedFile, ShardMeta, row_batch, write_shard
from shards.options import ShardOptions
from shards.packing import Pieces, best_fit, split
from tokenizer_train.encoder import Encoder

_ROWS = 4096


def plan_packing(curated: Sequence[Part], options: ShardOptions, tokenizer: str, folder: str) -> list[Step]:
    """One task per group of curated parts, each writing one shard into `folder`. `tokenizer`: path in the store."""
    groups: list[list[Part]] = []
    size = 0
    for part in curated:
        if not groups or size + part.text_bytes > options.group_bytes:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.text_bytes
    tasks = [
        Task(
            f"train-{number:05d}",
            partial(pack_group, tuple(group), options, tokenizer, f"{folder}/train-{number:05d}.arrow"),
            sum(part.text_bytes for part in group),
        )
        for number, group in enumerate(groups)
    ]
    return [Step.of("pack", tasks)]


def pack_group(parts: Sequence[Part], options: ShardOptions, tokenizer: str, path: str, context: TaskContext) -> Entry:
    """Encodes and packs the documents of `parts` into the shard `path`; returns its counts."""
    with context.store.open(tokenizer) as file:
        encoder = Encoder.from_bytes(file.read(), tokenizer)
    meta = shard_meta(encoder, options, context.store.read_json(f"{tokenizer.rsplit('/', 1)[0]}/index.json")["sha256"])
    ids, tokens, lengths, text_bytes = _encode(parts, options, encoder, context)
    pieces = split(lengths, options.sequence_length)
    packed = best_fit(pieces.length, options.sequence_length)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    entry = write_shard(context.store, path, meta, _rows(meta, ids, tokens, starts, pieces, packed.order, packed.row))
    _check(path, int(lengths.sum()), int(pieces.length.sum()), packed.rows, entry.rows)
    return {
        "files": [entry.to_json()],
        "documents": len(lengths),
        "tokens": len(tokens),
        "text_bytes": text_bytes,
        "pieces": len(pieces.length),
        "split": int((lengths > options.sequence_length).sum()),
        "lost": len(tokens) - int(pieces.length.sum()),
        "padding": packed.rows * options.sequence_length - len(tokens),
    }


def shard_meta(encoder: Encoder, options: ShardOptions, tokenizer_sha256: str) -> ShardMeta:
    """The metadata of shards made with this encoder."""
    if encoder.pad is None:
        raise ValueError("the tokenizer has no <|pad|> token: packing needs one")
    return ShardMeta(
        sequence_length=options.sequence_length,
        vocab_size=encoder.vocab_size,
        pad=encoder.pad,
        bos=encoder.bos if options.bos else None,
        eos=encoder.eos if options.eos else None,
        tokenizer=tokenizer_sha256,
    )


def _encode(
    parts: Sequence[Part], options: ShardOptions, encoder: Encoder, context: TaskContext
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[Any], npt.NDArray[np.int64], int]:
    """Document ids, all tokens one after another with their control tokens, tokens per document, text bytes."""
    ids, tokens, lengths, text_bytes = [], [], [], 0
    for part in parts:
        for docs in part.tables(context.store, ["id", "text"]):
            text = docs.column("text").combine_chunks()
            text_bytes += pc.sum(pc.binary_length(text)).as_py() or 0
            flat, counts = _with_control(encoder.encode(text), encoder, options)
            ids.append(docs.column("id").to_numpy())
            tokens.append(flat)
            lengths.append(counts)
    if not ids:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint16), np.zeros(0, np.int64), 0
    return np.concatenate(ids), np.concatenate(tokens), np.concatenate(lengths), text_bytes


def _with_control(
    found: pa.LargeListArray, encoder: Encoder, options: ShardOptions
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    values, offsets = found.values.to_numpy(), found.offsets.to_numpy()
    before, after = int(options.bos), int(options.eos)
    counts = np.diff(offsets) + before + after
    flat = np.empty(int(counts.sum()), values.dtype)
    starts = np.cumsum(counts) - counts
    body = np.ones(len(flat), np.bool_)
    if options.bos:
        flat[starts] = encoder.bos
        body[starts] = False
    if options.eos:
        flat[starts + counts - 1] = encoder.eos
        body[starts + counts - 1] = False
    flat[body] = values
    return flat, counts


def _rows(
    meta: ShardMeta,
    ids: npt.NDArray[np.uint64],
    tokens: npt.NDArray[Any],
    starts: npt.NDArray[np.int64],
    pieces: Pieces,
    order: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
) -> Iterator[pa.RecordBatch]:
    """Batches of rows, a few thousand at a time."""
    sorted_row = row[order]
    rows = int(sorted_row[-1]) + 1 if len(sorted_row) else 0
    for first in range(0, rows, _ROWS):
        last = min(first + _ROWS, rows)
        chosen = order[np.searchsorted(sorted_row, first) : np.searchsorted(sorted_row, last)]
        length, at = pieces.length[chosen], row[chosen] - first
        counts = np.bincount(at, minlength=last - first)
        piece_end = np.cumsum(length)
        row_start = np.concatenate([[0], piece_end])[np.concatenate([[0], np.cumsum(counts)[:-1]])]
        column = piece_end - length - row_start[at]
        block = np.full((last - first, meta.sequence_length), meta.pad, tokens.dtype)
        within = np.arange(int(length.sum())) - np.repeat(piece_end - length, length)
        source = np.repeat(starts[pieces.document[chosen]] + pieces.offset[chosen], length) + within
        block[np.repeat(at, length), np.repeat(column, length) + within] = tokens[source]
        yield row_batch(meta, block, counts, length, ids[pieces.document[chosen]], pieces.offset[chosen])


def _check(path: str, tokens_in: int, tokens_out: int, rows: int, written: int | None) -> None:
    if tokens_in != tokens_out or rows != written:
        raise RuntimeError(
            f"{path}: packing does not balance: {tokens_in} tokens in, {tokens_out} packed; {rows} rows, {written} written"
        )


def index_of(meta: ShardMeta, entries: Iterable[Entry], folder: str) -> Index:
    """The index of the shards that `pack_group` wrote into `folder`."""
    files = []
    for entry in entries:
        file = entry["files"][0]
        name = str(file["path"]).removeprefix(f"{folder}/")
        files.append(IndexedFile(name, file["rows"], entry["tokens"], entry["text_bytes"], file["sha256"]))
    return Index(meta, tuple(sorted(files, key=lambda file: file.path)))
