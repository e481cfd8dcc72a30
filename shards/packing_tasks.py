"""The tasks that make shards from curated documents: encode, pack, write.

Parts of one source are packed together in groups of `group_bytes`, and each group makes one file. The documents of a file
depend on the parts and the options alone, never on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import CONTROL, PARENT
from eyas.corpus.part import Part
from eyas.corpus.sampling import hash_rank
from eyas.corpus.task import Step, Task, TaskContext, TaskEntry
from eyas.errors import BooksError, InputError
from eyas.shards.format import HELD_OUT, ROWS_PER_BATCH, Index, IndexedFile, ShardMeta, row_batch, write_shard
from eyas.shards.options import ShardOptions
from eyas.shards.packing import I64, Packed, fill_rows, pack
from eyas.shards.packing_report import comparison, histogram
from eyas.tokenizer_train.encoding.control import encode_with_control
from eyas.tokenizer_train.encoding.encoder import Encoder

_BLOCK_TOKENS = 1 << 22
HELD_OUT_SALT = 0x48454C44


class PackedEntry(TaskEntry):
    """One packed file."""

    held_out: bool
    source: str
    documents: int
    with_tokens: int
    tokens: int
    text_bytes: int
    pieces: int
    split: int
    longer: int
    lost: int
    padding: int
    ways: dict[str, dict[str, int]]
    histogram: list[int]


def plan_packing(
    curated: Sequence[Part], options: ShardOptions, tokenizer: str, folder: str, recipe: str = ""
) -> list[Step[PackedEntry]]:
    """One task per group of curated parts, which writes one shard into `folder`, and one for its held-out documents.

    `tokenizer`: path in the store. `recipe`: a digest of everything that the shards are made of.
    """
    groups: list[list[Part]] = []
    for source in dict.fromkeys(part.source for part in curated):
        size = 0
        for part in (candidate for candidate in curated if candidate.source == source):
            if size == 0 or size + part.text_bytes > options.group_bytes:
                groups.append([])
                size = 0
            groups[-1].append(part)
            size += max(part.text_bytes, 1)
    tasks = []
    for number, group in enumerate(groups):
        size = sum(part.text_bytes for part in group)
        train, held_out = f"train-{number:05d}", f"held-out-{number:05d}"
        work = partial(pack_group, tuple(group), options, tokenizer, f"{folder}/{train}.arrow", recipe, False)
        tasks.append(Task(train, work, size))
        if options.held_out:
            path = f"{folder}/{HELD_OUT}/{held_out}.arrow"
            work = partial(pack_group, tuple(group), options, tokenizer, path, recipe, True)
            tasks.append(Task(held_out, work, round(size * options.held_out)))
    return [Step.of("pack", tasks)]


def pack_group(
    parts: Sequence[Part],
    options: ShardOptions,
    tokenizer: str,
    path: str,
    recipe: str,
    held_out: bool,
    context: TaskContext,
) -> PackedEntry:
    """Encodes and packs the documents of `parts`, or those held out, into the shard `path`. Returns its counts."""
    with context.store.open(tokenizer) as file:
        encoder = Encoder.from_bytes(file.read(), tokenizer, threads=context.cpus)
    digest = context.store.read_json(f"{tokenizer.rsplit('/', 1)[0]}/index.json")["sha256"]
    meta = shard_meta(encoder, options, digest, recipe)
    ids, tokens, lengths, text_bytes = _encode(parts, options, encoder, held_out, context)
    packed = pack(lengths, options.sequence_length, options.packing)
    source = parts[0].source
    rows = _rows(meta, source, ids, tokens, lengths, packed)
    entry = write_shard(context.store, path, meta, source, rows)
    _check(path, len(tokens), int(packed.length.sum()), packed.rows, entry.rows)
    return {
        "files": [entry.to_json()],
        "held_out": held_out,
        "source": source,
        "documents": len(lengths),
        "with_tokens": int((lengths > 0).sum()),
        "tokens": len(tokens),
        "text_bytes": text_bytes,
        "pieces": len(packed.length),
        "split": int((np.bincount(packed.document, minlength=1) > 1).sum()),
        "longer": int((lengths > options.sequence_length).sum()),
        "lost": len(tokens) - int(packed.length.sum()),
        "padding": packed.rows * options.sequence_length - len(tokens),
        "ways": comparison(lengths, options.sequence_length),
        "histogram": histogram(lengths),
    }


def shard_meta(encoder: Encoder, options: ShardOptions, tokenizer_sha256: str, recipe: str = "") -> ShardMeta:
    """The metadata of shards made with this encoder."""
    if encoder.pad is None:
        raise InputError("the tokenizer has no <|pad|> token: packing needs one")
    if options.bos and encoder.bos is None:
        raise InputError("the tokenizer has no <|begin_of_text|> token: use one that has, or set shards.bos: false")
    if options.eos and encoder.eos is None:
        raise InputError("the tokenizer has no <|end_of_text|> token: use one that has, or set shards.eos: false")
    return ShardMeta(
        sequence_length=options.sequence_length,
        vocab_size=encoder.vocab_size,
        pad=encoder.pad,
        bos=encoder.bos if options.bos else None,
        eos=encoder.eos if options.eos else None,
        tokenizer=tokenizer_sha256,
        packing=options.packing,
        recipe=recipe,
    )


def _encode(
    parts: Sequence[Part], options: ShardOptions, encoder: Encoder, held_out: bool, context: TaskContext
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[Any], I64, int]:
    """Document ids, all tokens one after another with their control tokens, tokens per document, text bytes."""
    ids, tokens, lengths, text_bytes = [], [], [], 0
    for part in parts:
        for docs in part.tables(context.store, ["id", "text", CONTROL.name, PARENT.name]):
            if options.held_out:
                drawn = _drawn(docs, options.held_out, context.seed)
                docs = docs.filter(pa.array(drawn if held_out else ~drawn))
            text = docs.column("text").combine_chunks()
            text_bytes += pc.sum(pc.binary_length(text)).as_py() or 0
            flat, counts = with_control(_ids(encoder, text, docs), encoder, options)
            ids.append(docs.column("id").to_numpy())
            tokens.append(flat)
            lengths.append(counts)
    if not ids:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint16), np.zeros(0, np.int64), 0
    return np.concatenate(ids), np.concatenate(tokens), np.concatenate(lengths), text_bytes


def _drawn(docs: pa.Table, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Whether each document is held out: by the hash rank of its id or, if it was made of others, if any of those is.

    The rank is hashed a second time, because generators choose the documents with the lowest ranks and must not choose
    the held-out ones.
    """
    limit = share * 2.0**64
    drawn: npt.NDArray[np.bool_] = hash_rank(hash_rank(docs.column("id").to_numpy(), seed), HELD_OUT_SALT) < limit
    if PARENT.name not in docs.column_names:
        return drawn
    parents = docs.column(PARENT.name).combine_chunks()
    has_parents = pc.fill_null(pc.greater(pc.list_value_length(parents), 0), False).to_numpy(zero_copy_only=False)
    rows, ids = pc.list_parent_indices(parents).to_numpy(), pc.list_flatten(parents).to_numpy()
    parent_drawn = hash_rank(hash_rank(ids.astype(np.uint64), seed), HELD_OUT_SALT) < limit
    drawn[has_parents] = False
    drawn[rows[parent_drawn]] = True
    return drawn


def _ids(encoder: Encoder, text: pa.LargeStringArray, docs: pa.Table) -> pa.LargeListArray:
    """The ids of each text, with the control tokens that stages inserted."""
    if CONTROL.name not in docs.column_names:
        return encoder.encode(text)
    return encode_with_control(encoder, text, docs.column(CONTROL.name).combine_chunks())


def with_control(ids: pa.LargeListArray, encoder: Encoder, options: ShardOptions) -> tuple[npt.NDArray[Any], I64]:
    """`(tokens, counts)`: the ids of all texts one after another, each between `bos` and `eos` if the options have them."""
    values, offsets = ids.values.to_numpy(), ids.offsets.to_numpy()
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
    meta: ShardMeta, source: str, ids: npt.NDArray[np.uint64], tokens: npt.NDArray[Any], lengths: I64, packed: Packed
) -> Iterator[pa.RecordBatch]:
    """Batches of rows, about _BLOCK_TOKENS at a time. The loader relies on multiples of ROWS_PER_BATCH."""
    starts = (np.cumsum(lengths) - lengths)[packed.document] + packed.offset
    step = max(_BLOCK_TOKENS // meta.sequence_length // ROWS_PER_BATCH, 1) * ROWS_PER_BATCH
    for first in range(0, packed.rows, step):
        last = min(first + step, packed.rows)
        pieces = slice(*np.searchsorted(packed.row, [first, last]).tolist())
        block = np.full((last - first, meta.sequence_length), meta.pad, tokens.dtype)
        fill_rows(tokens, starts[pieces], packed.length[pieces], packed.row[pieces], first, block)
        counts = np.bincount(packed.row[pieces] - first, minlength=last - first)
        documents = ids[packed.document[pieces]]
        yield row_batch(meta, source, block, counts, packed.length[pieces], documents, packed.offset[pieces])


def _check(path: str, tokens_in: int, tokens_out: int, rows: int, written: int | None) -> None:
    if tokens_in != tokens_out or rows != written:
        raise BooksError(
            f"{path}: packing does not balance: {tokens_in} tokens in, {tokens_out} packed; {rows} rows, {written} written"
        )


def index_of(meta: ShardMeta, entries: Iterable[PackedEntry], folder: str) -> Index:
    """The index of the shards that `pack_group` wrote into `folder`."""
    files = []
    for entry in entries:
        file = entry["files"][0]
        name = str(file["path"]).removeprefix(f"{folder}/")
        files.append(
            IndexedFile(
                path=name,
                source=entry["source"],
                rows=file["rows"],
                documents=entry["with_tokens"],
                tokens=entry["tokens"],
                text_bytes=entry["text_bytes"],
                bytes=file["bytes"],
                sha256=file["sha256"],
            )
        )
    return Index(meta, tuple(sorted(files, key=lambda file: file.path)))
