"""`eyas shards …`: check, show, mix, export. And `eyas pack`, which makes shards outside of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli.console import examples

if TYPE_CHECKING:
    from rich.table import Table

    from eyas.pipelines.engine.passes.records import ShardsSummary
    from eyas.shards.export import Target
    from eyas.shards.order import Share

shards_app = typer.Typer(
    help="Check shards, show what they hold, plan a mixture, export them to other trainers.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


PACK_EXAMPLES = examples(
    "eyas pack runs/quickstart --sequence-length 8192",
    "eyas pack runs/quickstart --sequence-length 2048 --packing concat --out shards-concat",
)

ShardsArgument = Annotated[
    str, typer.Argument(help="A folder of shards (with index.json), or a run's folder.", metavar="SHARDS_OR_RUN")
]
WeightsOption = Annotated[
    list[str],
    typer.Option("--weight", help="A source's share of tokens; may be repeated.", metavar="SOURCE=SHARE"),
]


def shards_folder(given: str) -> str:
    """The folder of shards that is meant: `given`, or its `shards`."""
    from eyas.corpus.store import Store

    folder = given.rstrip("/")
    return (
        folder if Store(folder).exists("index.json") and not Store(folder).exists("plan.json") else f"{folder}/shards"
    )


def parsed_weights(given: list[str]) -> dict[str, float]:
    """`SOURCE=SHARE` as numbers by source."""
    weights = {}
    for one in given:
        name, _, share = one.partition("=")
        try:
            weights[name] = float(share)
        except ValueError as error:
            raise UsageError(f"--weight {one}: expected SOURCE=SHARE, such as web=0.7") from error
        if not 0 < weights[name] < float("inf"):
            raise UsageError(f"--weight {one}: expected a share above 0; leave the source out for none of it")
    return weights


@shards_app.command(epilog=examples("eyas shards check runs/quickstart", "eyas shards check s3://bucket/shards"))
def check(shards: ShardsArgument) -> None:
    """Check everything shards promise: checksums, ids in range, control tokens, every document whole. Exits 1 if not."""
    from rich.console import Console
    from rich.progress import track

    from eyas.corpus.show.text import human
    from eyas.corpus.store import Store
    from eyas.shards.check import check_set
    from eyas.shards.format import Index

    store = Store(shards_folder(shards))
    index = Index.load(store)
    console = Console()
    bad = 0
    found = track(check_set(store, index), "checking", total=len(index.files), console=console, transient=True)
    for checked in found:
        for problem in checked.problems:
            console.print(f"{checked.file.path}: {problem}", highlight=False, markup=False, soft_wrap=True)
        bad += bool(checked.problems)
    if bad:
        raise UsageError(
            f"{store.root}: {bad} of {len(index.files)} files do not keep what index.json promises (above)"
        )
    size = sum(file.bytes for file in index.files)
    documents = sum(file.documents for file in index.files)
    console.print(
        f"{len(index.files)} files, {human(size)}, {documents:,} documents, {index.tokens:,} tokens in {index.rows:,} rows: "
        f"all as promised.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@shards_app.command(epilog=examples("eyas shards show runs/quickstart"))
def show(shards: ShardsArgument) -> None:
    """Show what shards hold: format, tokenizer, and rows, tokens and padding by source."""
    from rich.console import Console
    from rich.table import Table

    from eyas.corpus.store import Store
    from eyas.shards.format import Index

    index = Index.load(Store(shards_folder(shards)))
    console, meta = Console(), index.meta
    control = ", ".join(
        f"{name} {getattr(meta, name)}" for name in ("bos", "eos", "pad") if getattr(meta, name) is not None
    )
    console.print(
        f"format     {meta.format}, rows of {meta.sequence_length:,} {meta.id_type}, {meta.packing}", highlight=False
    )
    console.print(f"tokenizer  sha256 {meta.tokenizer[:16]}…, {meta.vocab_size:,} ids; {control}", highlight=False)
    console.print(f"digest     {index.digest[:16]}…", highlight=False)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("source", "files", "documents", "rows", "tokens", "padding", "share"):
        table.add_column(name, justify="left" if name == "source" else "right")
    for source in index.sources:
        mine = [file for file in index.files if file.source == source]
        rows, tokens = sum(f.rows for f in mine), sum(f.tokens for f in mine)
        table.add_row(
            source, str(len(mine)), f"{sum(f.documents for f in mine):,}", f"{rows:,}", f"{tokens:,}",
            f"{1 - tokens / (rows * meta.sequence_length):.2%}", f"{tokens / index.tokens:.1%}",
        )  # fmt: skip
    console.print(table)


@shards_app.command(
    epilog=examples("eyas shards mix runs/web --weight web=0.7 --weight code=0.3 --steps 10000 --batch-size 64")
)
def mix(
    shards: ShardsArgument,
    weight: WeightsOption,
    steps: Annotated[int, typer.Option(help="Optimiser steps of the training run.", min=1)],
    batch_size: Annotated[int, typer.Option(help="Rows per step.", min=1)],
    parameters: Annotated[int, typer.Option(help="Of the model, for the memorisation window; 0: unknown.", min=0)] = 0,
) -> None:
    """Show what a mixture draws: rows and epochs by source, and which source comes again too soon."""
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.shards.format import Index
    from eyas.shards.options import Phase
    from eyas.shards.order import Order, repeated_too_soon, shares

    index = Index.load(Store(shards_folder(shards)))
    order = Order(index, batch_size, 0, [Phase(weights=parsed_weights(weight))])
    found = shares(order, steps)
    console = Console()
    console.print(shares_table(found))
    for warning in repeated_too_soon(order, steps, parameters) if parameters else []:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)


def shares_table(found: list[Share]) -> Table:
    """What a run draws of each source, as a table."""
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("source", "tokens", "rows drawn", "share", "epochs"):
        table.add_column(name, justify="left" if name == "source" else "right")
    for one in found:
        table.add_row(one.source, f"{one.tokens:,}", f"{one.rows:,}", f"{one.share:.1%}", f"{one.epochs:.2f}")
    return table


@shards_app.command(
    epilog=examples(
        "eyas shards export runs/quickstart --to megatron --out exported/quickstart",
        "eyas shards export shards/ --to datatrove --out s3://bucket/ds/train",
    )
)
def export(
    shards: ShardsArgument,
    to: Annotated[str, typer.Option(help="megatron (.bin, .idx) or datatrove (.ds, also nanotron's).")],
    out: Annotated[str, typer.Option(help="Where to: folder and name without ending, such as out/train.")],
) -> None:
    """Write the documents of shards in the format of another trainer: whole, in order of id, packing undone."""
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.shards.export import export as write

    if to not in ("megatron", "datatrove"):
        raise UsageError(f"--to {to}: expected megatron or datatrove")
    folder, sign, name = out.rpartition("/")
    if not name:
        raise UsageError(f"--out {out}: expected a name at the end, such as {out}train")
    target = Store(folder or sign or ".")
    written = write(Store(shards_folder(shards)), target, name, cast("Target", to))
    told = ", ".join(target.path(path) for path in written.paths)
    Console().print(
        f"{written.documents:,} documents, {written.tokens:,} tokens: {told}", highlight=False, soft_wrap=True
    )


def pack(
    run: Annotated[str, typer.Argument(help="A finished run's folder, such as runs/quickstart.", metavar="RUN")],
    sequence_length: Annotated[int, typer.Option(help="Tokens in a row.", min=16, max=1 << 20)] = 2048,
    packing: Annotated[
        str | None, typer.Option(help="best_fit, first_fit or concat. Default: the recipe's, as all else.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Name of the folder in the run (default: shards-SEQUENCE_LENGTH).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Tasks at a time (default: all cores). 0: in this process, without Ray.", min=0)
    ] = None,
    ray_address: Annotated[str | None, typer.Option(help="An existing Ray cluster, host:port.")] = None,
) -> None:
    """Pack a run's curated documents once more: rows of another length, beside its own shards."""
    from rich.console import Console
    from rich.progress import Progress

    from eyas.corpus.store import Store
    from eyas.pipelines.api import make_executor
    from eyas.pipelines.engine.planning import make_plan
    from eyas.pipelines.engine.repack import pack_run
    from eyas.pipelines.recipe.recipe import load
    from eyas.shards.options import Packing, ShardOptions

    store = Store(run)
    if not store.exists("plan.json"):
        raise UsageError(f"{store.root}: no plan.json, so this is not the folder of a run")
    asked = store.read_json("plan.json")
    planned = make_plan(load(store.path("recipe.yaml"), asked["variables"], asked["folder"]))
    if packing not in (None, *get_args(Packing)):
        raise UsageError(f"--packing {packing}: expected one of {', '.join(get_args(Packing))}")
    base = planned.recipe.options.shards or ShardOptions()
    changes = {"sequence_length": sequence_length, **({"packing": packing} if packing else {})}
    options = base.model_copy(update=changes)
    folder = out or f"shards-{sequence_length}"
    executor = make_executor(planned.recipe, store, workers, ray_address)
    console = Console()
    try:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("packing")
            summary = pack_run(
                planned, store, options, folder, executor,
                lambda seen, total: progress.update(bar, completed=seen, total=total),
            )  # fmt: skip
    finally:
        executor.close()
    console.print(packing_table(summary))
    console.print(f"{summary['tokens']:,} tokens in {store.path(folder)}", highlight=False, soft_wrap=True)


def packing_table(summary: ShardsSummary) -> Table:
    """The packing report: what each way costs for these documents; the way that was taken is bold."""
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("packing", "rows", "padding", "documents split", "of them shorter than a row", "tokens lost"):
        table.add_column(name, justify="left" if name == "packing" else "right")
    for how, counts in summary["ways"].items():
        slots = max(counts["rows"] * summary["sequence_length"], 1)
        all_tokens = max(summary["tokens"], 1)
        table.add_row(
            how, f"{counts['rows']:,}", f"{counts['padding'] / slots:.3%}", f"{counts['split']:,}",
            f"{counts['short_split']:,}", f"{counts['lost']:,} ({counts['lost'] / all_tokens:.1%})",
            style="bold" if how == summary["packing"] else None,
        )  # fmt: skip
    return table
