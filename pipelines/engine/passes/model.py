"""The model pass: trains the bundled hybrid on the shards, as one task that owns a machine (and a GPU if there is one)."""

# Tested in tests/end_to_end/test_model_cli.py.

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import TrainEntry
from eyas.trainer.options import TrainOptions
from eyas.trainer.summary import ModelSummary, Sample

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
    from eyas.trainer.on_shards import train_on

    store = context.store
    if store.local:
        folder = Path(store.path("model"))
        summary = train_on(store.path("shards"), options, folder, context.seed, context.cpus)
        summary["samples"] = _samples(folder, Path(store.path("tokenizer/tokenizer.json")), context.seed)
        return {"files": [store.describe(f"model/{name}").to_json() for name in PUBLISHED], "summary": summary}
    scratch = Path(tempfile.mkdtemp(prefix="eyas-model-"))
    try:
        summary = train_on(store.url_of("shards"), options, scratch, context.seed, context.cpus)
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


def _samples(model: Path, tokenizer: Path, seed: int) -> list[Sample]:
    from eyas.trainer import generate

    return [
        {"prompt": prompt, "text": "".join(generate(model, tokenizer, prompt, max_tokens=60, seed=seed))}
        for prompt in PROMPTS
    ]
