"""`eyas train`: a training outside of a recipe."""

# Tested in tests/end_to_end/test_model_cli.py.

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import BUILD, Verbs

app = Verbs()


@app.verb(
    "eyas train runs/quickstart --steps 500 --out model-500",
    "eyas train shards/ --preset 90m --out model-90m --weight web=0.7 --weight code=0.3",
    "eyas train runs/web --out model --batch-size 64 --set schedule=power --set batch_ramp='{start: 8, every: 500}'",
    "eyas train runs/math --start-from falcon-h1-0.5b/ --out model    # goes on from a released model",
    "torchrun --nproc-per-node 8 --no-python eyas train runs/web --preset 0.5b --set parallel=fsdp --out model",
    panel=BUILD,
)
def train(
    shards: options.Shards,
    out: Annotated[
        str, typer.Option(help="Folder for the model. A training that was killed goes on there.", metavar="FOLDER")
    ],
    preset: options.Preset = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps. Default: 200.", min=1, metavar="N")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows per optimiser step. Default: 8.", min=1, metavar="N")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.", metavar="RATE")] = None,
    start_from: Annotated[
        str | None,
        typer.Option(help="Folder of a model to go on from: of Eyas, or in transformers' format.", metavar="FOLDER"),
    ] = None,
    seed: options.Seed = 0,
    more: options.Set = None,
    weight: options.Weight = None,
) -> None:
    """Train a model on shards, outside a recipe: another size, more steps, several processes by torchrun.

    Without --weight all rows count alike.
    """
    import os
    from contextlib import nullcontext

    from eyas.corpus.store import Store
    from eyas.pipelines.cli.training_view import TrainingView, by_source
    from eyas.pipelines.engine.executors import cores
    from eyas.pipelines.engine.locks import locked
    from eyas.trainer.on_shards import train_on

    given = {
        "mixture": [{"weights": options.weights(weight)}] if weight else None,
        "preset": preset,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "start_from": start_from,
    }
    training = options.training_options(given, more)
    folder = options.shards_folder(shards)
    first_process = os.environ.get("RANK", "0") == "0"
    terminal = console(quiet=not first_process)
    threads = max(cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)

    def warn(warning: str) -> None:
        terminal.print(f"warning: {warning}", style="yellow")

    title = f"{training.start_from or training.preset} on {shards}"
    # The processes of one torchrun are one training: the first one holds the lock.
    with locked(Store(out)) if first_process else nullcontext():
        with TrainingView(terminal, training.steps, title) as view:
            summary = train_on(folder, training, Path(out), seed, threads, view.show, warn)
    # A finished training whose metrics.jsonl somebody removed has no losses.
    losses = f", loss {summary['first_loss']:.3f} → {summary['last_loss']:.3f}" if summary["last_loss"] else ""
    held_out = by_source(summary["held_out"], "; held out, bits/byte: ")
    terminal.print(f"{summary['parameters']:,} parameters{losses}; model in {out}{held_out}")
