"""The shards pass: encodes and packs the curated documents."""

# Tested in tests/end_to_end/test_shards_cli.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eyas.corpus.store import Store, digest_of
from eyas.corpus.task import Steps
from eyas.errors import BooksError
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import ShardsSummary, SourceCounts
from eyas.pipelines.engine.planning import specs
from eyas.pipelines.recipe.recipe import NamedStage, RecipeOptions
from eyas.shards.options import ShardOptions

if TYPE_CHECKING:
    from eyas.shards.format import ShardMeta
    from eyas.shards.packing_tasks import PackedEntry


def work(state: PassState) -> Steps[Result[ShardsSummary]]:
    """One task per group of parts of a source, then index.json."""
    from eyas.shards.packing_tasks import plan_packing, shard_meta
    from eyas.tokenizer_train.encoding.encoder import Encoder

    options = state.plan.recipe.options.shards
    assert options is not None
    curated = state.curated
    recipe = recipe_digest(state.plan.recipe.options, state.plan.recipe.stages, options)
    path = "tokenizer/tokenizer.json"
    entries: list[PackedEntry] = []
    for step in plan_packing(curated.parts, options, path, "shards", recipe):
        entries += yield step
    with state.store.open(path) as file:
        encoder = Encoder.from_bytes(file.read(), path)
    meta = shard_meta(encoder, options, state.tokenizer.summary["sha256"], recipe)
    return published(state.store, "shards", meta, entries, sum(part.kept for part in curated.parts))


def recipe_digest(recipe: RecipeOptions, stages: Sequence[NamedStage], options: ShardOptions) -> str:
    """A digest of all that was done to the sources, wherever they lie: stages, tokenizer, packing and seed."""
    tokenizer = recipe.tokenizer.model_dump(mode="json") if recipe.tokenizer else None
    return digest_of([specs(stages), tokenizer, options.model_dump(mode="json"), recipe.seed])


def published(
    store: Store, folder: str, meta: ShardMeta, entries: list[PackedEntry], documents: int
) -> Result[ShardsSummary]:
    """Writes the index of the shards in `folder`; BooksError if they do not hold `documents` documents."""
    from eyas.shards.format import HELD_OUT
    from eyas.shards.packing_report import added
    from eyas.shards.packing_tasks import index_of

    files = files_of(entries)
    packed = sum(entry["documents"] for entry in entries)
    if packed != documents:
        raise BooksError(f"{folder}: {packed} documents packed of {documents} curated; the books do not balance")
    held_out = [entry for entry in entries if entry["held_out"]]
    entries = [entry for entry in entries if not entry["held_out"]]
    index = index_of(meta, entries, folder)
    files.append(store.write_json(f"{folder}/index.json", index.to_json()))
    if held_out:
        held_out_folder = f"{folder}/{HELD_OUT}"
        files.append(
            store.write_json(f"{held_out_folder}/index.json", index_of(meta, held_out, held_out_folder).to_json())
        )
    slots = index.rows * index.sequence_length
    padding = sum(entry["padding"] for entry in entries)
    ways, lengths = added(entries)
    summary: ShardsSummary = {
        "documents": sum(entry["documents"] for entry in entries),
        "tokens": sum(entry["tokens"] for entry in entries),
        "pieces": sum(entry["pieces"] for entry in entries),
        "split": sum(entry["split"] for entry in entries),
        "longer": sum(entry["longer"] for entry in entries),
        "padding": padding,
        "lost": sum(entry["lost"] for entry in entries),
        "held_out": sum(entry["documents"] for entry in held_out),
        "rows": index.rows,
        "files": len(index.files),
        "sequence_length": index.sequence_length,
        "packing": index.meta.packing,
        "padding_share": padding / max(slots, 1),
        "bytes_per_token": index.text_bytes / max(index.tokens, 1),
        "digest": index.digest,
        "ways": ways,
        "histogram": lengths,
        "sources": _by_source(entries, index.sequence_length),
    }
    return Result(files=files, summary=summary)


def _by_source(entries: list[PackedEntry], sequence_length: int) -> list[SourceCounts]:
    sources: dict[str, SourceCounts] = {}
    for entry in entries:
        name = entry["source"]
        counts = sources.setdefault(name, {"name": name, "documents": 0, "tokens": 0, "rows": 0})
        counts["documents"] += entry["documents"]
        counts["tokens"] += entry["tokens"]
        counts["rows"] += (entry["tokens"] + entry["padding"]) // sequence_length
    return list(sources.values())
