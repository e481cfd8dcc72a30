"""Packs the curated documents of a finished run once more, with other options."""

# Tested in tests/end_to_end/test_shards_cli.py.

from __future__ import annotations

import re
from collections.abc import Callable

from eyas.corpus.store import Store, digest_of
from eyas.corpus.task import TaskContext
from eyas.errors import InputError
from eyas.pipelines.engine.executors import Executor
from eyas.pipelines.engine.integrity import finished_entries, made_again
from eyas.pipelines.engine.locks import locked
from eyas.pipelines.engine.passes.records import ShardsSummary
from eyas.pipelines.engine.passes.shards import published, recipe_digest
from eyas.pipelines.engine.planning import Plan
from eyas.pipelines.engine.results import load_result
from eyas.shards.options import ShardOptions


def pack_run(
    planned: Plan,
    store: Store,
    options: ShardOptions,
    folder: str,
    executor: Executor,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> ShardsSummary:
    """Writes shards into `folder` of the run in `store`, with the run's tokenizer; returns the summary of a shards pass.

    Goes on where it was stopped. progress: called with the text bytes done, and those of all tasks. Raises InputError if the
    run has no tokenizer yet, or if the name of `folder` does not begin with shards-.
    """
    from eyas.shards.format import HELD_OUT
    from eyas.shards.packing_tasks import PackedEntry, plan_packing, shard_meta
    from eyas.tokenizer_train.encoding.encoder import Encoder

    if not re.fullmatch(r"shards-[A-Za-z0-9_.-]+", folder):
        raise InputError(f"--name {folder}: expected the name of a folder in the run that begins with shards-")
    done = {p.kind: load_result(store, p) for p in planned.passes if p.kind in ("curated", "tokenizer")}
    curated, tokenizer = done.get("curated"), done.get("tokenizer")
    if curated is None or tokenizer is None:
        missing = "curated documents" if curated is None else "tokenizer"
        raise InputError(
            f"{store.name()}: this run has no {missing} yet, or its recipe was edited; `eyas run` it first"
        )
    path = "tokenizer/tokenizer.json"
    recipe = recipe_digest(planned.recipe.options, planned.recipe.stages, options)
    # Entries of an earlier call count only for the very same documents, tokenizer and options.
    identity = digest_of([[file.sha256 for file in curated.files], tokenizer.summary["sha256"], recipe, folder])
    entries: list[PackedEntry] = []
    with locked(store, planned.recipe.options.lock, warn):
        for step in plan_packing(curated.parts, options, path, folder, recipe):
            work = f"passes/pack-{identity[:16]}"
            finished = finished_entries(store, work, step, executor, lambda path: warn(made_again(store, path)))
            waiting = [task for task in step.tasks if task.key not in finished]
            total = sum(task.bytes for task in step.tasks)
            done_bytes = total - sum(task.bytes for task in waiting)
            for event in executor.run(step.name, waiting, TaskContext(store, work, planned.recipe.options.seed)):
                if event is not None:
                    finished[event[0].key] = event[1]
                    done_bytes += event[0].bytes
                progress(done_bytes, total)
            entries += [finished[task.key] for task in step.tasks]
        with store.open(path) as file:
            encoder = Encoder.from_bytes(file.read(), path)
        meta = shard_meta(encoder, options, tokenizer.summary["sha256"], recipe)
        summary = published(store, folder, meta, entries, sum(part.kept for part in curated.parts)).summary
        expected = {file["path"] for entry in entries for file in entry["files"]} | {f"{folder}/index.json"}
        expected |= {f"{folder}/{HELD_OUT}"} | {f"{folder}/{HELD_OUT}/index.json"} if options.held_out else set()
        for place in (folder, f"{folder}/{HELD_OUT}"):
            for name in store.list(place):
                if f"{place}/{name}" not in expected:  # left by an earlier call with more files
                    store.delete(f"{place}/{name}")
        return summary
