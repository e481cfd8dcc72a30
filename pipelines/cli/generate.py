"""`eyas generate`: a trained model continues a text."""

# Tested in tests/end_to_end/test_quickstart.py.

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eyas.corpus.show.text import plain
from eyas.pipelines.cli import options
from eyas.pipelines.cli.help import BUILD, Verbs

app = Verbs()


@app.verb(
    'eyas generate runs/quickstart "The function returns"',
    'eyas generate runs/quickstart "def " --temperature 0',
    panel=BUILD,
)
def generate(
    run: options.FinishedRun,
    prompt: Annotated[str, typer.Argument(help="The text to continue.", metavar="TEXT", show_default=False)] = "",
    model: Annotated[
        str | None, typer.Option(help="Folder of the model. Default: RUN/model.", metavar="FOLDER")
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="Tokens to add at most.", min=1, metavar="N")] = 100,
    temperature: Annotated[
        float, typer.Option(help="Spread of the choice. 0 takes the likeliest token each time.", min=0.0, metavar="T")
    ] = 0.8,
    top_k: Annotated[
        int, typer.Option(help="Number of tokens to choose among. 0 chooses among all.", min=0, metavar="N")
    ] = 50,
    seed: options.Seed = 0,
) -> None:
    """Let a trained model continue a text."""
    from eyas.trainer import generate as continuation

    folder = run.rstrip("/")
    pieces = continuation(
        model or f"{folder}/model",
        f"{folder}/tokenizer",
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
