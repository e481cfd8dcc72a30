"""The shards pass: encodes and packs the curated documents."""

from __future__ import annotations

from collections.abc import Generator

from corpus.store import FileEntry
from corpus.task import Entry, Step
from pipelines.passes.base import PassState, Result


def work(state: PassState) -> Generator[Step, list[Entry], Result]:
    """One task per group of parts, then index.json."""
    from shards.pack import index_of, plan_packing, shard_meta
    from tokenizer_train.encoder import Encoder

    options = state.plan.recipe.options.shards
    assert options is not None
    curated = state.of_kind("curated").parts
    path = "tokenizer/tokenizer.json"
    entries: list[Entry] = []
    for step in plan_packing(curated, options, path, "shards"):
        entries += yield step
    with state.store.open(path) as file:
        encoder = Encoder.from_bytes(file.read(), path)
    meta = shard_meta(encoder, options, state.of_kind("tokenizer").summary["sha256"])
    index = index_of(meta, entries, "shards")
    result = Result(files=[FileEntry.from_json(file) for entry in entries for file in entry["files"]])
    documents = sum(entry["documents"] for entry in entries)
    if documents != sum(part.rows for part in curated):
        raise RuntimeError(f"shards: {documents} documents packed of {sum(part.rows for part in curated)} curated")
    result.files.append(state.store.write_json("shards/index.json", index.to_json()))
    names = ("documents", "tokens", "pieces", "split", "padding", "lost")
    totals = {name: sum(entry[name] for entry in entries) for name in names}
    slots = index.rows * index.sequence_length
    result.summary = {
        **totals,
        "rows": index.rows,
        "sequence_length": index.sequence_length,
        "padding_share": totals["padding"] / max(slots, 1),
        "bytes_per_token": index.text_bytes / max(index.tokens, 1),
        "digest": index.digest,
    }
    return result
