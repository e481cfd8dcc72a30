"""Checks of the promises of the shard format, on the bytes of the files. `eyas shards check` runs them on any folder.

A dropped begin-of-text token went unnoticed in 63 TB of another project's caches for two weeks, and a dtype that was not
passed on made another project's tokens junk. So nothing here trusts the writer. The trade: every file is read whole, at
1 GB/s.
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
from eyas.shards.format import ROWS_PER_BATCH, Columns, Index, IndexedFile, ShardMeta

_CHUNK = 1 << 22


def check_size(store: Store, file: IndexedFile) -> None:
    """Raises InputError unless the file exists with the size in the index."""
    try:
        size = int(store.fs.size(store.path(file.path)) or 0)
    except FileNotFoundError as error:
        raise InputError(f"{store.name(file.path)}: missing, but index.json names it; make the shards again") from error
    except OSError as error:
        raise InputError(f"{store.name(file.path)}: cannot be read: {error.strerror or error}") from error
    if size != file.bytes:
        raise InputError(
            f"{store.name(file.path)}: {size:,} bytes, but index.json states {file.bytes:,}: cut short, or of another set; "
            f"make the shards again"
        )


def check_bytes(store: Store, file: IndexedFile, copy: IO[bytes] | None = None) -> None:
    """Raises InputError unless the file has the sha256 in the index. `copy` receives all its bytes."""
    check_size(store, file)
    digest = hashlib.sha256()
    with store.open(file.path) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            if copy is not None:
                copy.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise InputError(
            f"{store.name(file.path)}: damaged: its sha256 is {digest.hexdigest()[:16]}…, but index.json states "
            f"{file.sha256[:16]}…; make the shards again, or copy them anew"
        )


@dataclass(frozen=True)
class Checked:
    """The result for one file. `problems` is empty if the file keeps all promises."""

    file: IndexedFile
    problems: tuple[str, ...]


def check_set(store: Store, index: Index) -> Iterator[Checked]:
    """Checks every file of a set, one after the other. A file that cannot be read counts as a problem too."""
    names = [file.path for file in index.files]
    for file in index.files:
        problems = ["index.json names it twice"] if names.count(file.path) > 1 else []
        try:
            check_bytes(store, file)
            problems += _content_problems(store, index, file)
        except ValueError as error:
            problems.append(str(error).removeprefix(f"{store.name(file.path)}: "))
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
    """All problems of the rows of a file, as phrases, each once."""
    problems: dict[str, None] = {}
    rows = tokens = 0
    documents, offsets, lengths, ends = [], [], [], []
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        if batch.num_rows != ROWS_PER_BATCH and number < reader.num_record_batches - 1:
            problems[f"record batch {number} has {batch.num_rows} rows, not {ROWS_PER_BATCH}"] = None
        of_batch, ended = _batch_problems(batch, meta, rows)
        problems.update(dict.fromkeys(of_batch))
        rows += batch.num_rows
        tokens += int(batch.column(Columns.LENGTHS).flatten().to_numpy().sum())
        documents.append(batch.column(Columns.DOCUMENTS).flatten().to_numpy())
        offsets.append(batch.column(Columns.OFFSETS).flatten().to_numpy())
        lengths.append(batch.column(Columns.LENGTHS).flatten().to_numpy())
        ends.append(ended)
    for name, value, stated in (("rows", rows, file.rows), ("tokens", tokens, file.tokens)):
        if value != stated:
            problems[f"{value:,} {name}, but index.json states {stated:,}"] = None
    if documents:
        pieces = [np.concatenate(parts) for parts in (documents, offsets, lengths, ends)]
        problems.update(dict.fromkeys(_document_problems(meta, file, *pieces)))
    elif file.documents and file.tokens:
        problems[f"no documents, but index.json states {file.documents:,}"] = None
    return list(problems)


def _batch_problems(batch: pa.RecordBatch, meta: ShardMeta, first: int) -> tuple[list[str], np.ndarray]:
    """The problems of a batch, and for each piece whether its last token is `eos`. `first`: number of its first row."""
    batch.validate(full=True)
    problems = []
    if any(column.null_count for column in batch.columns) or batch.column(Columns.INPUT_IDS).values.null_count:
        return [f"rows {first:,} to {first + batch.num_rows:,} hold nulls"], np.zeros(0, np.bool_)
    ids = batch.column(Columns.INPUT_IDS).flatten().to_numpy().reshape(batch.num_rows, meta.sequence_length)
    bounds = batch.column(Columns.LENGTHS).offsets.to_numpy()
    lengths = batch.column(Columns.LENGTHS).flatten().to_numpy().astype(np.int64)
    offsets = batch.column(Columns.OFFSETS).flatten().to_numpy()
    if not len(lengths) == len(offsets) == len(batch.column(Columns.DOCUMENTS).flatten()):
        return [f"row {first:,} ff.: lengths, documents and offsets are not equally many"], np.zeros(0, np.bool_)
    # Pieces must fit into their rows before anything is looked up by them.
    row = np.repeat(np.arange(batch.num_rows), np.diff(bounds))
    used = np.bincount(row, weights=lengths, minlength=batch.num_rows).astype(np.int64)
    if len(lengths) and lengths.min() < 1:
        problems.append(f"row {first + int(row[lengths.argmin()]):,}: a piece of {lengths.min()} tokens")
    if used.max(initial=0) > meta.sequence_length:
        problems.append(f"row {first + int(used.argmax()):,}: its pieces add up to {used.max():,} tokens")
    if problems:
        return problems, np.zeros(len(lengths), np.bool_)
    # Ids: inside the vocabulary, and padding after the last piece only.
    if ids.max(initial=0) >= meta.vocab_size:
        at = int((ids >= meta.vocab_size).any(axis=1).argmax())
        problems.append(f"row {first + at:,}: id {ids[at].max()} is outside the vocabulary of {meta.vocab_size:,}")
    text = np.arange(meta.sequence_length) < used[:, None]
    for wrong, what in ((~text & (ids != meta.pad), "something else in"), (text & (ids == meta.pad), "padding before")):
        if wrong.any():
            problems.append(f"row {first + int(wrong.any(axis=1).argmax()):,}: {what} the padding at its end")
    # Control tokens: `bos` at the begin of documents only, `eos` at the end of pieces only.
    begins = np.cumsum(lengths) - lengths
    begins += (row * meta.sequence_length) - np.repeat((np.cumsum(used) - used), np.diff(bounds))
    flat = ids.ravel()
    if meta.bos is not None:
        expected = np.zeros(len(flat), np.bool_)
        expected[begins[offsets == 0]] = True
        problems += _misplaced(flat == meta.bos, expected, meta, first, f"the token that begins documents ({meta.bos})")
    ended = flat[begins + lengths - 1] == meta.eos if meta.eos is not None else np.zeros(len(lengths), np.bool_)
    if meta.eos is not None and int((flat == meta.eos).sum()) != int(ended.sum()):
        problems.append(f"rows from {first:,} on: the token that ends documents ({meta.eos}) stands inside of one")
    return problems, ended


def _misplaced(present: np.ndarray, expected: np.ndarray, meta: ShardMeta, first: int, what: str) -> list[str]:
    problems = []
    for wrong, how in ((expected & ~present, "is missing"), (present & ~expected, "stands inside of one")):
        if wrong.any():
            problems.append(f"row {first + int(wrong.argmax()) // meta.sequence_length:,}: {what} {how}")
    return problems


def _document_problems(
    meta: ShardMeta,
    file: IndexedFile,
    documents: np.ndarray,
    offsets: np.ndarray,
    lengths: np.ndarray,
    ended: np.ndarray,
) -> list[str]:
    """Problems of whole documents: pieces must follow each other from the first token on, and the last must end them."""
    problems = []
    order = np.lexsort((offsets, documents))
    documents, offsets, lengths = documents[order], offsets[order], lengths[order].astype(np.int64)
    first = np.append(True, documents[1:] != documents[:-1])
    expected = np.where(first, 0, np.append(0, (offsets + lengths)[:-1]))
    if (offsets != expected).any():
        at = int((offsets != expected).argmax())
        problems.append(
            f"document {documents[at]}: a piece begins at its token {offsets[at]:,}, expected {expected[at]:,}"
        )
    if first.sum() != file.documents:
        problems.append(f"{first.sum():,} documents, but index.json states {file.documents:,}")
    if meta.eos is not None and len(ended) == len(order):
        last = np.append(first[1:], True)
        wrong = ended[order] != last
        if wrong.any():
            at = int(wrong.argmax())
            what = "does not end with" if last[at] else "has, before its end,"
            problems.append(f"document {documents[at]}: {what} the token that ends documents ({meta.eos})")
    if meta.packing != "concat":
        total = np.add.reduceat(lengths, np.flatnonzero(first))
        split = np.diff(np.append(np.flatnonzero(first), len(first))) > 1
        if (split & (total <= meta.sequence_length)).any():
            problems.append("a document that would fit into a row is split")
    return problems
