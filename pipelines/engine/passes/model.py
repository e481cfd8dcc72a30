"""The model pass: trains the bundled hybrid on the shards, as one task that owns a machine (and a GPU if there is one)."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.errors import InputError
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import ModelSummary, Sample, TrainEntry
from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import batches_before

PUBLISHED = ("config.json", "model.safetensors", "metrics.jsonl")
PROMPTS = ("The function returns", "import ", "This package")
"""Texts that the finished model continues, for the report."""


def work(state: PassState) -> Steps[Result[ModelSummary]]:
    """One task. On local storage it goes on from its newest checkpoint if it was interrupted; elsewhere it starts anew."""
    options = state.plan.recipe.options.train
    assert options is not None
    text = state.curated.summary["text_bytes"]
    task = Task("train", partial(_train, options), text, all_cpus=True, gpus=1)
    entries = yield from entries_of(Step.of("train", [task]))
    return Result(files=files_of(entries), summary=entries[0]["summary"])


def _train(options: TrainOptions, context: TaskContext) -> TrainEntry:
    store = context.store
    if store.local:
        folder = Path(store.path("model"))
        summary = train_on(store.path("shards"), options, folder, context.seed, context.cpus)
        summary["samples"] = _samples(folder, Path(store.path("tokenizer/tokenizer.json")), context.seed)
        return {"files": [_entry(folder / name, f"model/{name}").to_json() for name in PUBLISHED], "summary": summary}
    scratch = Path(tempfile.mkdtemp(prefix="eyas-model-"))
    try:
        summary = train_on(f"{store.url.rstrip('/')}/shards", options, scratch, context.seed, context.cpus)
        (scratch / "tokenizer.json").write_bytes(store.fs.cat_file(store.path("tokenizer/tokenizer.json")))
        summary["samples"] = _samples(scratch, scratch / "tokenizer.json", context.seed)
        files = []
        for name in PUBLISHED:
            with store.create(f"model/{name}") as output, (scratch / name).open("rb") as file:
                shutil.copyfileobj(file, output.sink)
            files.append(output.published().to_json())
        return {"files": files, "summary": summary}
    finally:
        shutil.rmtree(scratch)


def train_on(
    shards: str,
    options: TrainOptions,
    folder: Path,
    seed: int,
    threads: int,
    progress: Callable[[dict[str, Any]], None] | None = None,
    warn: Callable[[str], None] = lambda warning: None,
) -> ModelSummary:
    """Trains on the shards folder `shards` into `folder`; returns the trainer's summary.

    Measures bits per byte on its held_out/, if it has one. warn: called before the first step with each doubt about the
    mixture. If `torchrun` started it, this is one process of several.
    """
    from eyas.shards.loader import ShardLoader
    from eyas.shards.order import repeated_too_soon
    from eyas.shards.order import shares as shares_of
    from eyas.shards.packing_tasks import HELD_OUT
    from eyas.trainer.evaluation import HeldOut
    from eyas.trainer.files import config_of
    from eyas.trainer.parallel import World
    from eyas.trainer.training import train

    world = World.of_environment()
    loader = ShardLoader(
        shards, options.loader_rows, seed, world.rank, world.size, mixture=options.loader_mixture, verify="full"
    )
    _check_tokenizer(shards, loader.index.meta.tokenizer)
    index = loader.index
    apart = f"{shards.rstrip('/')}/{HELD_OUT}"
    held_out = HeldOut(apart, options.evaluate_rows) if Store(apart).exists("index.json") else None
    shape = config_of(options.start_from)[0] if options.start_from else options.config(index.vocab_size)
    parameters = shape.parameters
    batches = batches_before(options, options.steps + 1)
    warnings = repeated_too_soon(loader.order, batches, parameters)
    for warning in warnings:
        warn(warning)
    folder.mkdir(parents=True, exist_ok=True)
    summary = cast("ModelSummary", train(loader, options, str(folder), seed, threads, progress, held_out))
    shares = shares_of(loader.order, batches)
    summary["order_hash"] = loader.order_hash
    summary["sources"] = [asdict(share) for share in shares if share.rows]
    summary["repeated_too_soon"] = warnings
    return summary


def _check_tokenizer(shards: str, made_with: str) -> None:
    """InputError if a run's tokenizer is not the one that its shards were made with."""
    folder, sign, _ = shards.rstrip("/").rpartition("/")
    run = Store(folder or sign or ".")
    if run.exists("tokenizer/tokenizer.json"):
        path = run.path("tokenizer/tokenizer.json")
        digest = hashlib.sha256(run.fs.cat_file(path)).hexdigest()
        if digest != made_with:
            raise InputError(
                f"{path}: another tokenizer (sha256 {digest[:16]}…) than that of the shards ({made_with[:16]}…): its ids "
                f"mean other tokens. Put the right one there, or make the shards again"
            )


def _samples(model: Path, tokenizer: Path, seed: int) -> list[Sample]:
    from eyas.trainer import generate

    return [
        {"prompt": prompt, "text": "".join(generate(model, tokenizer, prompt, max_tokens=60, seed=seed))}
        for prompt in PROMPTS
    ]


def _entry(file: Path, path: str) -> FileEntry:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while chunk := data.read(1 << 20):
            digest.update(chunk)
    return FileEntry(path, file.stat().st_size, digest.hexdigest())
