"""The reference pages that are written from the code: `python -m eyas.pipelines.cli.reference docs` (or `make docs`)."""

# Tested in tests/test_docs.py.

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click import Context, unstyle
from typer.main import get_command

from eyas.pipelines.cli.app import app
from eyas.pipelines.cli.help import CONTEXT
from eyas.pipelines.recipe.reference import GENERATED, recipe_reference, stage_reference


def pages() -> dict[str, str]:
    """Each page by its name, without `.md`."""
    return {
        "recipe_reference": recipe_reference(),
        "stage_reference": stage_reference(),
        "cli_reference": cli_reference(),
    }


def cli_reference() -> str:
    """The help page of every command, in the order of `eyas --help`."""
    page = f"# Command reference\n\n{GENERATED}"
    page += "Each command prints its page with `--help`. Exit codes are in [troubleshooting](troubleshooting.md).\n"
    for name, text in _help_pages(get_command(app), None, "eyas"):
        page += f"\n## {name}\n\n```text\n{text.rstrip()}\n```\n"
    return page


def _help_pages(command: Any, parent: Context | None, name: str) -> Iterator[tuple[str, str]]:
    settings: dict[str, Any] = {**CONTEXT, "terminal_width": CONTEXT["max_content_width"], "color": False}
    context = Context(command, parent=parent, info_name=name.rpartition(" ")[2], **settings)
    yield name, "\n".join(line.rstrip() for line in unstyle(command.get_help(context)).splitlines())
    for inner in getattr(command, "commands", {}).values():
        if not inner.hidden:
            yield from _help_pages(inner, context, f"{name} {inner.name}")


def main(folder: str) -> None:
    """Writes the pages into a folder."""
    for name, text in pages().items():
        (Path(folder) / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
