"""`eyas train` and `eyas generate`: a model outside of a recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.plain import examples, plain

TRAIN_EXAMPLES = examples(
    "eyas train runs/quickstart --steps 500 --out model-500",
    "eyas train shards/ --preset 90m --out model-90m --weight web=0.7 --weight code=0.3",
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
    seed: Annotated[int, typer.Option(help="Seed of initialisation and order.")] = 0,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="A source's share of tokens; may be repeated. Default: all rows alike.", metavar="SOURCE=SHARE"
        ),
    ] = None,
) -> None:
    """Train a model on shards, outside a recipe: another size, more steps."""
    import os

    from rich.console import Console

    from pipelines.passes.model import train_on
    from pipelines.shards_cli import parsed_weights, shards_folder
    from trainer.options import TrainOptions

    mixture = [{"weights": parsed_weights(weight)}] if weight else None
    given = {
        "mixture": mixture,
        "preset": preset,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    options = TrainOptions.model_validate({name: value for name, value in given.items() if value is not None})
    folder = shards_folder(shards)
    console = Console()
    with console.status("training …") as status:

        def show(line: dict[str, Any]) -> None:
            text = f"step {line['step']:>5}  loss {line['loss']:.4f}  {line.get('tokens_per_s', 0):,.0f} tokens/s"
            status.update(text)
            if line["step"] % 10 == 0 or not console.is_terminal:
                console.print(text, highlight=False)

        def warn(warning: str) -> None:
            console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)

        summary = train_on(folder, options, Path(out), seed, os.cpu_count() or 1, show, warn)
    console.print(
        f"{summary['parameters']:,} parameters, loss {summary['first_loss']:.3f} → {summary['last_loss']:.3f}; "
        f"model in {out}",
        highlight=False,
    )


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
    from trainer import generate as continuation

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
