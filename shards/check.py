"""Contract checks: what a shard promises, checked on its bytes. `eyas shards check DIR` runs them on any folder.

A dropped begin-of-text token went unnoticed in 63 TB of another project's caches for two weeks, and a dtype that was not
passed on made another's tokens junk: so nothing here trusts the writer. The trade: a file is read whole, 1 GB/s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.shards.format import ROWS_PER_BATCH, Index, IndexedFile, ShardMeta

_CHUNK = 1 << 22


def check_size(store: Store, file: IndexedFile) -> None:
    """ValueError unless the file is there, and as long as the index says."""
    try:
        size = int(store.fs.size(store.path(file.path)) or 0)
    except FileNotFoundError as error:
        raise InputError(f"{store.path(file.path)}: missing, but index.json names it; make the shards again") from error
    if size != file.bytes:
        raise InputError(
            f"{store.path(file.path)}: {size:,} bytes, but index.json says {file.bytes:,}: cut short, or of another set; "
            f"make the shards again"
        )


def check_bytes(store: Store, file: IndexedFile, copy: IO[bytes] | None = None) -> None:
    """ValueError unless the file's sha256 is the index's. `copy` gets all its bytes."""
    check_size(store, file)
    digest = hashlib.sha256()
    with store.open(file.path) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            if copy is not None:
                copy.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise InputError(
            f"{store.path(file.path)}: damaged: its sha256 is {digest.hexdigest()[:16]}…, but index.json says "
            f"{file.sha256[:16]}…; make the shards again, or copy them anew"
        )


@dataclass(frozen=True)
class Checked:
    """What was found in one file. `problems`: empty if it keeps its promises."""

    file: IndexedFile
    problems: tuple[str, ...]


def check_set(store: Store, index: Index) -> Iterator[Checked]:
    """Checks every file of a set, one after the other; a file that cannot be read at all is a problem like others."""
    names = [file.path for file in index.files]
    for file in index.files:
        problems = ["index.json names it twice"] if names.count(file.path) > 1 else []
        try:
            check_bytes(store, file)
            problems += _content_problems(store, index, file)
        except ValueError as error:
            problems.append(str(error).removeprefix(f"{store.path(file.path)}: "))
        yield Checked(file, tuple(problems))


def _content_problems(store: Store, index: Index, file: IndexedFile) -> list[str]:
    path = store.path(file.path)
    with store.open(file.path) as raw:
        try:
            reader = ipc.open_file(raw)
            if ShardMeta.of(reader.schema, path) != (index.meta, file.source):
                return ["its metadata is not the index's: it belongs to another set"]
            return file_problems(reader, index.meta, file)
        except pa.ArrowInvalid as error:
            return [f"not an Arrow file that can be read: {error}"]


def file_problems(reader: ipc.RecordBatchFileReader, meta: ShardMeta, file: IndexedFile) -> list[str]:
    """Everything that is wrong with the rows of a file, in words."""
    found: dict[str, None] = {}
    rows = tokens = 0
    documents, offsets, lengths, ends = [], [], [], []
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        if batch.num_rows != ROWS_PER_BATCH and number < reader.num_record_batches - 1:
            found[f"record batch {number} has {batch.num_rows} rows, not {ROWS_PER_BATCH}"] = None
        problems, ended = _batch_problems(batch, meta, rows)
        found.update(dict.fromkeys(problems))
        rows += batch.num_rows
        tokens += int(batch.column("lengths").flatten().to_numpy().sum())
        documents.append(batch.column("documents").flatten().to_numpy())
        offsets.append(batch.column("offsets").flatten().to_numpy())
        lengths.append(batch.column("lengths").flatten().to_numpy())
        ends.append(ended)
    for name, value, stated in (("rows", rows, file.rows), ("tokens", tokens, file.tokens)):
        if value != stated:
            found[f"{value:,} {name}, but index.json says {stated:,}"] = None
    if documents:
        pieces = [np.concatenate(parts) for parts in (documents, offsets, lengths, ends)]
        found.update(dict.fromkeys(_document_problems(meta, file, *pieces)))
    elif file.documents and file.tokens:
        found[f"no documents, but index.json says {file.documents:,}"] = None
    return list(found)


def _batch_problems(batch: pa.RecordBatch, meta: ShardMeta, first: int) -> tuple[list[str], np.ndarray]:
    """What is wrong with a batch, and of each piece whether its last token is `eos`."""
    batch.validate(full=True)
    found = []
    if any(column.null_count for column in batch.columns) or batch.column("input_ids").values.null_count:
        return [f"rows {first:,} to {first + batch.num_rows:,} hold nulls"], np.zeros(0, np.bool_)
    ids = batch.column("input_ids").flatten().to_numpy().reshape(batch.num_rows, meta.sequence_length)
    bounds = batch.column("lengths").offsets.to_numpy()
    lengths = batch.column("lengths").flatten().to_numpy().astype(np.int64)
    offsets = batch.column("offsets").flatten().to_numpy()
    if not len(lengths) == len(offsets) == len(batch.column("documents").flatten()):
        return [f"row {first:,} ff.: lengths, documents and offsets are not equally many"], np.zeros(0, np.bool_)
    row = np.repeat(np.arange(batch.num_rows), np.diff(bounds))
    used = np.bincount(row, weights=lengths, minlength=batch.num_rows).astype(np.int64)
    if len(lengths) and lengths.min() < 1:
        found.append(f"row {first + int(row[lengths.argmin()]):,}: a piece of {lengths.min()} tokens")
    if used.max(initial=0) > meta.sequence_length:
        found.append(f"row {first + int(used.argmax()):,}: its pieces add up to {used.max():,} tokens")
    if found:
        return found, np.zeros(len(lengths), np.bool_)
    if ids.max(initial=0) >= meta.vocab_size:
        at = int((ids >= meta.vocab_size).any(axis=1).argmax())
        found.append(f"row {first + at:,}: id {ids[at].max()} is outside the vocabulary of {meta.vocab_size:,}")
    text = np.arange(meta.sequence_length) < used[:, None]
    for wrong, what in ((~text & (ids != meta.pad), "something else in"), (text & (ids == meta.pad), "padding before")):
        if wrong.any():
            found.append(f"row {first + int(wrong.any(axis=1).argmax()):,}: {what} the padding at its end")
    begins = np.cumsum(lengths) - lengths
    begins += (row * meta.sequence_length) - np.repeat((np.cumsum(used) - used), np.diff(bounds))
    flat = ids.ravel()
    if meta.bos is not None:
        expected = np.zeros(len(flat), np.bool_)
        expected[begins[offsets == 0]] = True
        found += _misplaced(flat == meta.bos, expected, meta, first, f"the token that begins documents ({meta.bos})")
    ended = flat[begins + lengths - 1] == meta.eos if meta.eos is not None else np.zeros(len(lengths), np.bool_)
    if meta.eos is not None and int((flat == meta.eos).sum()) != int(ended.sum()):
        found.append(f"rows from {first:,} on: the token that ends documents ({meta.eos}) stands inside of one")
    return found, ended


def _misplaced(is_there: np.ndarray, expected: np.ndarray, meta: ShardMeta, first: int, what: str) -> list[str]:
    found = []
    for wrong, how in ((expected & ~is_there, "is missing"), (is_there & ~expected, "stands inside of one")):
        if wrong.any():
            found.append(f"row {first + int(wrong.argmax()) // meta.sequence_length:,}: {what} {how}")
    return found


def _document_problems(
    meta: ShardMeta,
    file: IndexedFile,
    documents: np.ndarray,
    offsets: np.ndarray,
    lengths: np.ndarray,
    ended: np.ndarray,
) -> list[str]:
    """Every document whole: its pieces follow each other from its first token on, and the last one ends it."""
    found = []
    order = np.lexsort((offsets, documents))
    documents, offsets, lengths = documents[order], offsets[order], lengths[order].astype(np.int64)
    first = np.append(True, documents[1:] != documents[:-1])
    expected = np.where(first, 0, np.append(0, (offsets + lengths)[:-1]))
    if (offsets != expected).any():
        at = int((offsets != expected).argmax())
        found.append(
            f"document {documents[at]}: a piece begins at its token {offsets[at]:,}, expected {expected[at]:,}"
        )
    if first.sum() != file.documents:
        found.append(f"{first.sum():,} documents, but index.json says {file.documents:,}")
    if meta.eos is not None and len(ended) == len(order):
        last = np.append(first[1:], True)
        wrong = ended[order] != last
        if wrong.any():
            at = int(wrong.argmax())
            what = "does not end with" if last[at] else "has, before its end,"
            found.append(f"document {documents[at]}: {what} the token that ends documents ({meta.eos})")
    if meta.packing != "concat":
        total = np.add.reduceat(lengths, np.flatnonzero(first))
        split = np.diff(np.append(np.flatnonzero(first), len(first))) > 1
        if (split & (total <= meta.sequence_length)).any():
            found.append("a document that would fit into a row is split")
    return found
