"""`eyas shards …`: checks shards, shows what they hold, plans a mixture, exports them."""

# Tested in tests/end_to_end/test_shards_cli.py.

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import FAULTS_FOUND, UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import BUILD, Verbs

if TYPE_CHECKING:
    from eyas.shards.order import Share

app = Verbs("shards", "Check shards, show what they hold, plan a mixture, export them to other trainers.", BUILD)


class Target(StrEnum):
    """Formats of other trainers."""

    MEGATRON = "megatron"
    DATATROVE = "datatrove"


@app.verb("eyas shards check runs/quickstart", "eyas shards check s3://bucket/shards")
def check(shards: options.Shards) -> None:
    """Check all that shards promise: checksums, ids in range, control tokens, whole documents. Exit code 1 if not."""
    from rich.progress import track

    from eyas.corpus.show.text import human
    from eyas.corpus.store import Store
    from eyas.shards.check import check_set
    from eyas.shards.format import Index

    store = Store(options.shards_folder(shards))
    index = Index.load(store)
    terminal = console()
    bad = 0
    checks = track(check_set(store, index), "checking", total=len(index.files), console=terminal, transient=True)
    for checked in checks:
        for problem in checked.problems:
            terminal.print(f"{checked.file.path}: {problem}")
        bad += bool(checked.problems)
    if bad:
        broken = f"{bad} of {len(index.files)} files do not keep what index.json promises"
        typer.secho(f"eyas: {store.name()}: {broken} (above)", err=True, fg="red")
        raise typer.Exit(FAULTS_FOUND)
    size = sum(file.bytes for file in index.files)
    documents = sum(file.documents for file in index.files)
    terminal.print(
        f"{len(index.files)} files, {human(size)}, {documents:,} documents, {index.tokens:,} tokens in {index.rows:,} rows: "
        f"all as promised."
    )


@app.verb("eyas shards show runs/quickstart")
def show(shards: options.Shards) -> None:
    """Show what shards hold: format, tokenizer, and rows, tokens and padding by source."""
    from eyas.corpus.store import Store
    from eyas.shards.format import Index

    index = Index.load(Store(options.shards_folder(shards)))
    terminal, meta = console(), index.meta
    control = ", ".join(
        f"{name} {getattr(meta, name)}" for name in ("bos", "eos", "pad") if getattr(meta, name) is not None
    )
    terminal.print(f"format     {meta.format}, rows of {meta.sequence_length:,} {meta.id_type}, {meta.packing}")
    terminal.print(f"tokenizer  sha256 {meta.tokenizer[:16]}…, {meta.vocab_size:,} ids; {control}")
    terminal.print(f"digest     {index.digest[:16]}…")
    figures = ("files", "documents", "rows", "tokens", "padding", "share")
    sources = table("source", *figures, right=figures)
    for source in index.sources:
        files = [file for file in index.files if file.source == source]
        rows, tokens = sum(file.rows for file in files), sum(file.tokens for file in files)
        sources.add_row(
            source, str(len(files)), f"{sum(file.documents for file in files):,}", f"{rows:,}", f"{tokens:,}",
            f"{1 - tokens / (rows * meta.sequence_length):.2%}", f"{tokens / index.tokens:.1%}",
        )  # fmt: skip
    print_table(terminal, sources)


@app.verb("eyas shards mix runs/web --weight web=0.7 --weight code=0.3 --steps 10000 --batch-size 64")
def mix(
    shards: options.Shards,
    weight: options.Weight,
    steps: options.Steps,
    batch_size: options.BatchSize,
    parameters: Annotated[
        int, typer.Option(help="Parameters of the model, for the memorisation window. 0: unknown.", min=0, metavar="N")
    ] = 0,
) -> None:
    """Show what a mixture draws: rows and epochs by source, and which source is repeated too soon."""
    from eyas.corpus.store import Store
    from eyas.shards.format import Index
    from eyas.shards.options import Phase
    from eyas.shards.order import Order, repeated_too_soon, shares

    index = Index.load(Store(options.shards_folder(shards)))
    order = Order(index, batch_size, 0, [Phase(weights=options.weights(weight))])
    terminal = console()
    print_table(terminal, shares_table(shares(order, steps)))
    for warning in repeated_too_soon(order, steps, parameters) if parameters else []:
        terminal.print(f"warning: {warning}", style="yellow")


def shares_table(drawn: list[Share]) -> Any:
    """What a training draws of each source, as a table."""
    figures = ("tokens", "rows drawn", "share", "epochs")
    rows = table("source", *figures, right=figures)
    for one in drawn:
        rows.add_row(one.source, f"{one.tokens:,}", f"{one.rows:,}", f"{one.share:.1%}", f"{one.epochs:.2f}")
    return rows


@app.verb(
    "eyas shards export runs/quickstart --to megatron --out exported/quickstart",
    "eyas shards export shards/ --to datatrove --out s3://bucket/ds/train",
)
def export(
    shards: options.Shards,
    to: Annotated[
        Target,
        typer.Option(
            help="megatron writes .bin and .idx; datatrove writes .ds, which nanotron reads.", metavar="FORMAT"
        ),
    ],
    out: Annotated[
        str, typer.Option(help="Path of the new files without their ending, such as out/train.", metavar="PATH")
    ],
) -> None:
    """Write the documents of shards in the format of another trainer: whole, in order of id, packing undone."""
    from eyas.corpus.store import Store
    from eyas.shards.export import export as write

    folder, sign, name = out.rpartition("/")
    if not name:
        raise UsageError(f"--out {out}: expected a name at the end, such as {out}train")
    target = Store(folder or sign or ".")
    written = write(Store(options.shards_folder(shards)), target, name, to.value)
    paths = ", ".join(target.path(path) for path in written.paths)
    console().print(f"{written.documents:,} documents, {written.tokens:,} tokens: {paths}")
