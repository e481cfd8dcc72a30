"""`eyas stages`: the stages that a recipe can name, and the options of one."""

from __future__ import annotations

from typing import Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.help import LEARN, Verbs

app = Verbs()


@app.verb(
    "eyas stages",
    "eyas stages minhash_dedup",
    "eyas stages minhash_dedup --json",
    "eyas stages shouting --plugin my_stages",
    panel=LEARN,
)
def stages(
    name: Annotated[str | None, typer.Argument(help="A stage: show all its options.", metavar="NAME")] = None,
    plugin: options.Plugin = None,
    as_json: options.Json = False,
) -> None:
    """List the stages, or show one stage's options with their defaults and sources."""
    from eyas.pipelines.cli.registered import show_registry
    from eyas.pipelines.recipe.registry import STAGES

    show_registry(STAGES, name, plugin or (), as_json)
