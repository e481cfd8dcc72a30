"""`eyas sources`: the formats that a recipe can read, and the options of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

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
    from eyas.pipelines.cli.registered import show_registry

    show_registry("source", _Sources(), name, plugin or (), as_json)


class _Sources:
    """The registry of sources."""

    def targets(self, plugins: Sequence[str] = ()) -> dict[str, str]:
        from eyas.pipelines.recipe.recipe import FORMATS

        return {name: f"{cls.__module__}:{cls.__name__}" for name, cls in FORMATS.items()}

    def load(self, name: str, plugins: Sequence[str] = ()) -> type[Any]:
        from eyas.errors import InputError
        from eyas.pipelines.recipe.recipe import FORMATS
        from eyas.pipelines.recipe.registry import nearest

        if name not in FORMATS:
            raise InputError(f"unknown source {name!r}{nearest(name, FORMATS)} (`eyas sources` lists all)")
        return FORMATS[name]
