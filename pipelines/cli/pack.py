"""`eyas pack`: the curated documents of a run as rows of another length."""

# Tested in tests/end_to_end/test_shards_cli.py.

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.corpus.show.text import plain
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import BUILD, Verbs

if TYPE_CHECKING:
    from rich.table import Table

    from eyas.pipelines.engine.passes.records import ShardsSummary

app = Verbs()


class Packing(StrEnum):
    """Ways to fill rows."""

    BEST_FIT = "best_fit"
    FIRST_FIT = "first_fit"
    CONCAT = "concat"


@app.verb(
    "eyas pack runs/quickstart --sequence-length 8192",
    "eyas pack runs/quickstart --sequence-length 2048 --packing concat --name shards-concat",
    panel=BUILD,
)
def pack(
    run: options.FinishedRun,
    sequence_length: options.SequenceLength = 2048,
    packing: Annotated[
        Packing | None,
        typer.Option(
            help="How to fill rows. This and every other shard option default to the recipe's.", metavar="WAY"
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the new folder in the run. It begins with shards-. Default: shards-SEQUENCE_LENGTH.",
            metavar="NAME",
        ),
    ] = None,
    workers: options.Workers = None,
    ray_address: options.RayAddress = None,
    shared_folder: options.SharedFolder = False,
    out: Annotated[
        str | None, options.moved("--out", "the folder lies in the run, so give its name: --name shards-NAME")
    ] = None,
) -> None:
    """Pack a run's curated documents again, as rows of another length, beside the run's own shards."""
    from rich.progress import Progress

    from eyas.corpus.store import Store
    from eyas.pipelines.api import make_executor
    from eyas.pipelines.engine.planning import plan_of_run
    from eyas.pipelines.engine.repack import pack_run
    from eyas.shards.options import ShardOptions

    store = Store(run, shared=shared_folder)
    planned = plan_of_run(store)
    base = planned.recipe.options.shards or ShardOptions()
    changes = {"sequence_length": sequence_length, **({"packing": packing.value} if packing else {})}
    folder = name or f"shards-{sequence_length}"
    executor = make_executor(planned.recipe, store, workers, ray_address)
    terminal = console()
    try:
        with Progress(console=terminal, transient=True) as progress:
            bar = progress.add_task("packing")
            summary = pack_run(
                planned, store, base.model_copy(update=changes), folder, executor,
                lambda done, total: progress.update(bar, completed=done, total=total),
                lambda note: terminal.print(plain(f"note: {note}"), style="yellow"),
            )  # fmt: skip
    finally:
        executor.close()
    print_table(terminal, packing_table(summary))
    terminal.print(f"{summary['tokens']:,} tokens in {store.name(folder)}")


def packing_table(summary: ShardsSummary) -> Table:
    """The packing report: what each way costs for these documents; the way that was taken is bold."""
    figures = ("rows", "padding", "documents split", "of them shorter than a row", "tokens lost")
    rows = table("packing", *figures, right=figures)
    for way, counts in summary["ways"].items():
        slots = max(counts["rows"] * summary["sequence_length"], 1)
        all_tokens = max(summary["tokens"], 1)
        rows.add_row(
            way, f"{counts['rows']:,}", f"{counts['padding'] / slots:.3%}", f"{counts['split']:,}",
            f"{counts['short_split']:,}", f"{counts['lost']:,} ({counts['lost'] / all_tokens:.1%})",
            style="bold" if way == summary["packing"] else None,
        )  # fmt: skip
    return rows
