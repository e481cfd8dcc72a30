"""Training on a folder of shards: opens the loader and the held-out documents, checks the tokenizer, and trains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.shards.format import HELD_OUT
from eyas.shards.loader import ShardLoader
from eyas.shards.order import repeated_too_soon, shares
from eyas.trainer.evaluation import HeldOut
from eyas.trainer.loading import config_of
from eyas.trainer.options import TrainOptions
from eyas.trainer.parallel import World
from eyas.trainer.schedule import batches_before, loader_mixture
from eyas.trainer.summary import ModelSummary
from eyas.trainer.training import train


def train_on(
    shards: str,
    options: TrainOptions,
    folder: Path,
    seed: int,
    threads: int,
    progress: Callable[[dict[str, Any]], None] | None = None,
    warn: Callable[[str], None] = lambda warning: None,
) -> ModelSummary:
    """Trains on the shards folder `shards` into `folder`. Returns the trainer's summary.

    Measures bits per byte on the held-out documents of the shards, if there are any. `warn` is called before the first
    step for each source that the mixture repeats too soon. Under `torchrun`, every process calls this.
    """
    world = World.of_environment()
    mixture = loader_mixture(options)
    loader = ShardLoader(shards, options.loader_rows, seed, world.rank, world.size, mixture=mixture, verify="full")
    index = loader.index
    _check_tokenizer(shards, index.meta.tokenizer)
    held_out_folder = f"{shards.rstrip('/')}/{HELD_OUT}"
    has_held_out = Store(held_out_folder).exists("index.json")
    held_out = HeldOut(held_out_folder, options.evaluate_rows) if has_held_out else None
    shape = config_of(options.start_from)[0] if options.start_from else options.config(index.vocab_size)
    batches = batches_before(options, options.steps + 1)
    warnings = repeated_too_soon(loader.order, batches, shape.parameters)
    for warning in warnings:
        warn(warning)
    folder.mkdir(parents=True, exist_ok=True)
    summary = train(loader, options, str(folder), seed, threads, progress, held_out, warn)
    summary["order_hash"] = loader.order_hash
    summary["sources"] = [asdict(share) for share in shares(loader.order, batches) if share.rows]
    summary["repeated_too_soon"] = warnings
    return summary


def _check_tokenizer(shards: str, sha256: str) -> None:
    """Raises InputError if the run that holds the shards has another tokenizer than that of the shards."""
    folder, slash, _ = shards.rstrip("/").rpartition("/")
    run = Store(folder or slash or ".")
    if not run.exists("tokenizer/tokenizer.json"):
        return
    path = run.path("tokenizer/tokenizer.json")
    of_run = hashlib.sha256(run.fs.cat_file(path)).hexdigest()
    if of_run != sha256:
        raise InputError(
            f"{path}: another tokenizer (sha256 {of_run[:16]}…) than that of the shards ({sha256[:16]}…), so its ids "
            f"mean other tokens. Put the right one there, or make the shards again"
        )
