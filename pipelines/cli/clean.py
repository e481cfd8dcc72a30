"""`eyas clean`: deletes what a run no longer needs."""

# Tested in tests/end_to_end/test_products.py.

from __future__ import annotations

from typing import Annotated

import typer

from eyas.corpus.show.text import human
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import KEEP, Verbs

app = Verbs()


@app.verb(
    "eyas clean runs/tuesday --dry-run",
    "eyas clean runs/tuesday --keep 1",
    "eyas clean runs/tuesday --passes",
    panel=KEEP,
)
def clean(
    run: options.FinishedRun,
    keep: Annotated[
        int, typer.Option(help="Replaced products of each kind to keep, the newest first.", min=0, metavar="N")
    ] = 0,
    passes: Annotated[
        bool, typer.Option("--passes", help="Delete all passes too: only a changed recipe would need them.")
    ] = False,
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="Delete products too that the recipe no longer names.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,
) -> None:
    """Delete replaced products and work of earlier recipes from a run's folder; products in use stay."""
    from eyas.corpus.store import Store
    from eyas.pipelines.engine.cleaning import clean as clean_run

    store = Store(run)
    found = clean_run(store, keep, passes, unnamed, dry_run)
    out = console()
    if found:
        rows = table("would be deleted" if dry_run else "deleted", "size", "what it is", right=("size",))
        for one in found:
            rows.add_row(one.path, human(one.bytes), one.why)
        print_table(out, rows)
    total = human(sum(one.bytes for one in found))
    out.print(f"{total} {'would be free' if dry_run else 'freed'} in {store.name()}", markup=False, soft_wrap=True)
