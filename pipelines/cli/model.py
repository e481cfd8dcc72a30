"""`eyas train` and `eyas generate`: a model outside of a recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.corpus.show.text import plain
from eyas.errors import UsageError
from eyas.pipelines.cli.console import examples

if TYPE_CHECKING:
    from eyas.trainer.options import TrainOptions

TRAIN_EXAMPLES = examples(
    "eyas train runs/quickstart --steps 500 --out model-500",
    "eyas train shards/ --preset 90m --out model-90m --weight web=0.7 --weight code=0.3",
    "eyas train runs/web --out model --set schedule=power --set batch_ramp='{start: 8, every: 500}'",
    "eyas train runs/math --start-from falcon-h1-0.5b/ --out model    # goes on from a released model",
    "torchrun --nproc-per-node 8 --no-python eyas train runs/web --preset 0.5b --set parallel=fsdp --out model",
)
GENERATE_EXAMPLES = examples(
    'eyas generate runs/quickstart "The function returns"', 'eyas generate runs/quickstart "def " --temperature 0'
)
RunArgument = Annotated[str, typer.Argument(help="A run's folder, such as runs/quickstart.", metavar="RUN")]


def train(
    shards: Annotated[str, typer.Argument(help="A run's folder, or a folder of shards.", metavar="RUN_OR_SHARDS")],
    out: Annotated[str, typer.Option(help="Folder for the model; a run killed earlier is resumed there.")],
    preset: Annotated[str | None, typer.Option(help="Shape of the model.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows per step.", min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Folder of a model to go on from: of Eyas, or in transformers' format.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of initialisation and order.")] = 0,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other option of `train:` in a recipe; may be repeated.", metavar="OPTION=YAML"),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="A source's share of tokens; may be repeated. Default: all rows alike.", metavar="SOURCE=SHARE"
        ),
    ] = None,
) -> None:
    """Train a model on shards, outside a recipe: another size, more steps, several processes by torchrun."""
    import os

    from rich.console import Console

    from eyas.pipelines.cli.shards import parsed_weights, shards_folder
    from eyas.pipelines.cli.training_view import TrainingView, told
    from eyas.pipelines.engine.executors import cores
    from eyas.trainer.on_shards import train_on

    mixture = [{"weights": parsed_weights(weight)}] if weight else None
    given = {
        "mixture": mixture,
        "preset": preset,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "start_from": start_from,
    }
    options = training_options({name: value for name, value in given.items() if value is not None}, more)
    folder = shards_folder(shards)
    first = os.environ.get("RANK", "0") == "0"
    console = Console(quiet=not first)
    threads = max(cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)

    def warn(warning: str) -> None:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)

    title = f"{options.start_from or options.preset} on {shards}"
    with TrainingView(console, options.steps, title) as view:
        summary = train_on(folder, options, Path(out), seed, threads, view.show, warn)
    # A finished run whose metrics.jsonl somebody removed has no losses to tell.
    losses = f", loss {summary['first_loss']:.3f} → {summary['last_loss']:.3f}" if summary["last_loss"] else ""
    console.print(
        f"{summary['parameters']:,} parameters{losses}; "
        f"model in {out}{told(summary['held_out'], '; held out, bits/byte: ')}",
        highlight=False,
    )


def _option(given: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not sign:
        raise UsageError(f"--set {given}: expected OPTION=VALUE, such as --set schedule=power")
    return name, value


def training_options(given: dict[str, Any], more: list[str] | None) -> TrainOptions:
    """The options of a training from those given by name and by `--set`; ValueError in words."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from eyas.trainer.options import TrainOptions

    try:
        set_ = {name: YAML(typ="safe").load(value) for name, value in map(_option, more or [])}
        return TrainOptions.model_validate({**given, **set_})
    except YAMLError as error:
        raise UsageError(f"--set: not YAML: {error}") from error
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'train'}: {one['msg']}" for one in error.errors())
        known = ", ".join(TrainOptions.model_fields)
        raise UsageError(f"{said}. Options of a training: {known}") from error


def generate(
    run: RunArgument,
    prompt: Annotated[str, typer.Argument(help="The text to go on from.")] = "",
    model: Annotated[str | None, typer.Option(help="Folder of the model (default: RUN/model).")] = None,
    max_tokens: Annotated[int, typer.Option(help="Longest continuation.", min=1)] = 100,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token each time.", min=0.0)] = 0.8,
    top_k: Annotated[int, typer.Option(help="Choose among so many tokens; 0: all.", min=0)] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the choice.")] = 0,
) -> None:
    """Let a trained model continue a text."""
    from eyas.trainer import generate as continuation

    pieces = continuation(
        model or f"{run.rstrip('/')}/model",
        f"{run.rstrip('/')}/tokenizer",
        prompt,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
    )
    typer.echo(prompt, nl=False)
    for piece in pieces:
        typer.echo(plain(piece), nl=False)
        sys.stdout.flush()
    typer.echo()
