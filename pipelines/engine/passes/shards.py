"""The shards pass: encodes and packs the curated documents."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from eyas.corpus.store import FileEntry, Store, digest_of
from eyas.corpus.task import Entry, Step
from eyas.errors import BooksError
from eyas.pipelines.engine.passes.base import PassState, Result
from eyas.pipelines.engine.planning import specs
from eyas.pipelines.recipe.recipe import NamedStage, RecipeOptions
from eyas.shards.options import ShardOptions

if TYPE_CHECKING:
    from eyas.shards.format import ShardMeta


def work(state: PassState) -> Generator[Step, list[Entry], Result]:
    """One task per group of parts of a source, then index.json."""
    from eyas.shards.packing_tasks import plan_packing, shard_meta
    from eyas.tokenizer_train.encoding.encoder import Encoder

    options = state.plan.recipe.options.shards
    assert options is not None
    curated = state.of_kind("curated")
    recipe = recipe_digest(state.plan.recipe.options, state.plan.recipe.stages, options)
    path = "tokenizer/tokenizer.json"
    entries: list[Entry] = []
    for step in plan_packing(curated.parts, options, path, "shards", recipe):
        entries += yield step
    with state.store.open(path) as file:
        encoder = Encoder.from_bytes(file.read(), path)
    meta = shard_meta(encoder, options, state.of_kind("tokenizer").summary["sha256"], recipe)
    return published(state.store, "shards", meta, entries, sum(part.rows for part in curated.parts))


def recipe_digest(recipe: RecipeOptions, stages: Sequence[NamedStage], options: ShardOptions) -> str:
    """Of all that was done to the sources, wherever they lie: stages, tokenizer, packing and seed."""
    tokenizer = recipe.tokenizer.model_dump(mode="json") if recipe.tokenizer else None
    return digest_of([specs(stages), tokenizer, options.model_dump(mode="json"), recipe.seed])


def published(store: Store, folder: str, meta: ShardMeta, entries: list[Entry], documents: int) -> Result:
    """Writes the index of the shards in `folder`, which hold `documents` documents; RuntimeError if they do not."""
    from eyas.shards.format import HELD_OUT
    from eyas.shards.packing_report import added
    from eyas.shards.packing_tasks import index_of

    result = Result(files=[FileEntry.from_json(file) for entry in entries for file in entry["files"]])
    packed = sum(entry["documents"] for entry in entries)
    if packed != documents:
        raise BooksError(f"{folder}: {packed} documents packed of {documents} curated; the books do not balance")
    held_out = [entry for entry in entries if entry["held_out"]]
    entries = [entry for entry in entries if not entry["held_out"]]
    index = index_of(meta, entries, folder)
    result.files.append(store.write_json(f"{folder}/index.json", index.to_json()))
    if held_out:
        apart = f"{folder}/{HELD_OUT}"
        result.files.append(store.write_json(f"{apart}/index.json", index_of(meta, held_out, apart).to_json()))
    names = ("documents", "tokens", "pieces", "split", "longer", "padding", "lost")
    totals = {name: sum(entry[name] for entry in entries) for name in names}
    slots = index.rows * index.sequence_length
    ways, lengths = added(entries)
    result.summary = {
        **totals,
        "held_out": sum(entry["documents"] for entry in held_out),
        "rows": index.rows,
        "files": len(index.files),
        "sequence_length": index.sequence_length,
        "packing": index.meta.packing,
        "padding_share": totals["padding"] / max(slots, 1),
        "bytes_per_token": index.text_bytes / max(index.tokens, 1),
        "digest": index.digest,
        "ways": ways,
        "histogram": lengths,
        "sources": _by_source(entries, index.sequence_length),
    }
    return result


def _by_source(entries: list[Entry], sequence_length: int) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        mine = found.setdefault(entry["source"], {"name": entry["source"], "documents": 0, "tokens": 0, "rows": 0})
        mine["documents"] += entry["documents"]
        mine["tokens"] += entry["tokens"]
        mine["rows"] += (entry["tokens"] + entry["padding"]) // sequence_length
    return list(found.values())
