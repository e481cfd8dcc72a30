"""Small sets of shards: by hand out of rows, or packed from texts by the real steps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from eyas.corpus.documents import document_id, documents, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, TaskContext
from eyas.shards.format import HELD_OUT, Index, IndexedFile, ShardMeta, row_batch, write_shard
from eyas.shards.options import ShardOptions
from eyas.shards.packing_tasks import index_of, plan_packing, shard_meta
from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.options import TokenizerOptions

META = ShardMeta(sequence_length=8, vocab_size=1000, pad=0, bos=1, eos=11, tokenizer="f" * 64)


@lru_cache
def tokenizer() -> bytes:
    """A tokenizer.json of bytes and a few merges."""
    options = TokenizerOptions(vocab_sizes=[300])
    texts = ["the cat and the dog sat on the mat and ate the rat, then the bat; some other words follow the first"] * 9
    return train_bpe(texts, options).build(300).to_str().encode()


def rows_by_hand(
    folder: Path, files: Sequence[int], meta: ShardMeta = META, sources: Sequence[str] | None = None
) -> Index:
    """Files of so many rows each: row r of the set holds two documents, 2r (3 tokens) and 2r + 1 (r % 5 tokens + 1)."""
    store, first, indexed = Store(str(folder)), 0, []
    for number, (rows, source) in enumerate(zip(files, sources or ["s"] * len(files), strict=True)):
        numbers = np.arange(first, first + rows)
        second = numbers % 5 + 1
        ids = np.full((rows, meta.sequence_length), meta.pad, np.int64)
        column = np.arange(meta.sequence_length)
        ids[:, :3] = 100 + numbers[:, None]
        ids[(column >= 3) & (column < 3 + second[:, None])] = 7
        lengths = np.stack([np.full(rows, 3), second], 1).ravel()
        docs = np.stack([2 * numbers, 2 * numbers + 1], 1).ravel().astype(np.uint64)
        batch = row_batch(meta, source, ids, np.full(rows, 2), lengths, docs, np.zeros(2 * rows, np.int64))
        entry = write_shard(store, f"train-{number:05d}.arrow", meta, source, [batch])
        tokens = int(lengths.sum())
        indexed.append(IndexedFile(entry.path, source, rows, 2 * rows, tokens, tokens, entry.bytes, entry.sha256))
        first += rows
    index = Index(meta, tuple(indexed))
    store.write_json("index.json", index.to_json())
    return index


def packed(
    folder: Path, texts: Sequence[str], options: ShardOptions, cuts: Sequence[int] = ()
) -> tuple[Index, list[Entry], dict[int, str]]:
    """The index, the entries and the text by document id of `texts`, cut into parts and packed below `folder`/shards."""
    store = Store(str(folder))
    with store.create("tokenizer/tokenizer.json") as output:
        output.sink.write(tokenizer())
    store.write_json("tokenizer/index.json", {"sha256": hashlib.sha256(tokenizer()).hexdigest()})
    bounds = [0, *cuts, len(texts)]
    parts, by_id = [], {}
    for number, (start, stop) in enumerate(pairwise(bounds)):
        ids = [document_id(number, row) for row in range(stop - start)]
        table = documents(ids, list(texts[start:stop]), "s", [""] * len(ids))
        store.write_table(f"curated/{number}.parquet", table)
        parts.append(Part(number, "s", f"curated/{number}.parquet", len(ids), len(ids), text_bytes(table)))
        by_id.update(zip(ids, texts[start:stop], strict=True))
    (step,) = plan_packing(parts, options, "tokenizer/tokenizer.json", "shards")
    context = TaskContext(store, "shards", seed=0)
    entries = [task.run(context) for task in reversed(step.tasks)]
    encoder = Encoder.from_bytes(tokenizer())
    meta = shard_meta(encoder, options, hashlib.sha256(tokenizer()).hexdigest())
    index = index_of(meta, (entry for entry in entries if not entry["held_out"]), "shards")
    store.write_json("shards/index.json", index.to_json())
    if options.held_out:
        apart = f"shards/{HELD_OUT}"
        held_out = index_of(meta, (entry for entry in entries if entry["held_out"]), apart)
        store.write_json(f"{apart}/index.json", held_out.to_json())
    return index, entries, by_id
