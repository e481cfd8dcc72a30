"""`eyas sources`: the formats that a recipe can read, and the options of one."""

from __future__ import annotations

from typing import Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.help import LEARN, Verbs

app = Verbs()


@app.verb("eyas sources", "eyas sources jsonl", "eyas sources parquet --json", panel=LEARN)
def sources(
    name: Annotated[str | None, typer.Argument(help="A source: show all its options.", metavar="NAME")] = None,
    plugin: options.Plugin = None,
    as_json: options.Json = False,
) -> None:
    """List the sources that a recipe can read, or show one source's options with their defaults."""
    from eyas.corpus.sources import REGISTRY
    from eyas.pipelines.cli.registered import show_registry

    show_registry(REGISTRY, name, plugin or (), as_json)
