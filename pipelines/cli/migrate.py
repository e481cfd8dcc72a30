"""`eyas migrate`: converts plugins and runs of the first edition."""

# Tested in tests/end_to_end/test_first_edition.py.

from __future__ import annotations

from typing import Annotated

import typer

from eyas.pipelines.cli.help import KEEP, Verbs

app = Verbs()


@app.verb("eyas migrate my_stages.py", "eyas migrate recipe.yaml --dry-run", "eyas migrate runs/monday", panel=KEEP)
def migrate(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Plugins (.py), recipes (their plugins are converted) and folders of runs.", metavar="PATH"
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be changed.")] = False,
) -> None:
    """Convert what the first edition left: imports of plugins, manifests of runs. All else is read as it is."""
    from eyas.pipelines.engine.migrate import migrate as convert

    for path in paths:
        changes = convert(path, write=not dry_run)
        for change in changes:
            typer.echo(f"{'would change' if dry_run else 'changed'} {change.path}: {change.what}")
        if not changes:
            typer.echo(f"{path}: nothing to convert")
