"""`eyas explain`: one document's fate, or what a training step saw."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.corpus.show.text import plain
from eyas.errors import UsageError
from eyas.pipelines.cli.console import examples

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.pipelines.analysis.explain_step import Seen, StepSeen

EXAMPLES = examples(
    "eyas explain runs/quickstart 4294967301",
    "eyas explain runs/quickstart numpy/README.md",
    "eyas explain runs/quickstart --step 12",
    "eyas explain runs/quickstart --step 12 --json | jq '.documents[].origin'",
)
_OTHERS, _WIDE = 64, 130
"""Characters of a line that are not the origin's, and of a terminal that has room for scores; `--json` has all."""


def explain(
    run: Annotated[str, typer.Argument(help="A run's folder, such as runs/quickstart.", metavar="RUN")],
    document: Annotated[
        str | None, typer.Argument(help="A document's id, its origin, or the end of its origin.")
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(help="Tell what this step of the recipe's training saw, from 1.", min=1),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Of another training than the recipe's.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of another training than the recipe's.")] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="Of another training than the recipe's.", metavar="SOURCE=SHARE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --step: everything, every decision too.")] = False,
) -> None:
    """Tell one document's fate: each stage's decision, its score, threshold and reason. Or what a training step saw."""
    if (document is None) == (step is None):
        raise UsageError("say what to explain: a document (its id or origin), or a step of training (--step N)")
    if step is not None:
        _explain_step(run, step, batch_size, seed, weight, as_json)
    else:
        assert document is not None
        _explain_document(run, document)


def _explain_document(run: str, document: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from eyas.corpus.store import Store
    from eyas.pipelines.analysis.explain import explain as find

    console = Console()
    for fate in find(Store(run), document):
        console.print(f"document {fate.id}", style="bold", highlight=False)
        if fate.origin:
            console.print(f"origin   {plain(fate.origin)}", highlight=False, markup=False, soft_wrap=True)
        if fate.parents:
            console.print(f"made of  {', '.join(map(str, fate.parents))}", highlight=False)
        table = Table(header_style="bold", box=None, pad_edge=False)
        for name in ("stage", "decision", "reason", "score", "threshold", "detail"):
            table.add_column(name, overflow="fold")
        for row in fate.decisions:
            decision = {True: "kept", False: "dropped", None: "quarantined"}[row["kept"]]
            detail = "" if row["stage"] == "read" and row["kept"] else row["detail"] or ""
            table.add_row(
                row["stage"],
                decision,
                row["reason"] or "",
                _number(row["score"]),
                _number(row["threshold"]),
                Text(plain(detail)),
            )
        console.print(table)
        console.print(
            "fate     " + ("curated" if fate.survived else "not among the curated documents"), highlight=False
        )
        if fate.excerpt:
            console.print(plain(fate.excerpt), style="dim", highlight=False, markup=False)
        console.print()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _explain_step(
    run: str, step: int, batch_size: int | None, seed: int | None, weight: list[str] | None, as_json: bool
) -> None:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.analysis.explain_step import explain_step
    from eyas.pipelines.cli.shards import parsed_weights
    from eyas.pipelines.recipe.recipe import load
    from eyas.shards.options import Phase
    from eyas.trainer.options import TrainOptions

    store = Store(run)
    if not store.exists("plan.json"):
        raise UsageError(f"{store.root}: no plan.json, so this is not the folder of a run")
    asked = store.read_json("plan.json")
    options = load(store.path("recipe.yaml"), asked["variables"], asked["folder"]).options
    if options.train is None and batch_size is None:
        raise UsageError(f"{store.root}: its recipe trains nothing, so say how: --batch-size N (and --seed, --weight)")
    if batch_size is None and options.train is not None and step > options.train.steps:
        raise UsageError(f"--step {step}: the recipe trains for {options.train.steps} steps")
    changes: dict[str, Any] = {}
    if batch_size is not None:
        changes.update(batch_size=batch_size, micro_batch=None, batch_ramp=None)
    if weight:
        changes["mixture"] = [Phase(weights=parsed_weights(weight))]
    training = (options.train or TrainOptions()).model_copy(update=changes)
    seen = explain_step(store, step, training, options.seed if seed is None else seed)
    if as_json:
        data = {**asdict(seen), "documents": list(map(asdict, seen.documents.values()))}
        typer.echo(json.dumps(data, indent=1, default=str))
        return
    _show_step(Console(), seen)


def _show_step(console: Console, seen: StepSeen) -> None:
    from rich.table import Table
    from rich.text import Text

    tokens = sum(piece.tokens for piece in seen.pieces)
    console.print(
        f"step {seen.step}: {len(seen.rows)} rows, {tokens:,} tokens of {len(seen.documents):,} documents",
        highlight=False,
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    wide = console.width >= _WIDE
    room = max(console.width - _OTHERS - (40 if wide else 0), 16)
    for name in (
        "row",
        "tokens",
        "from",
        "document",
        "source",
        "lang",
        "copies",
        *(["scores"] if wide else []),
        "origin",
    ):
        table.add_column(name, overflow="fold", no_wrap=name != "scores")
    last = None
    for piece in seen.pieces:
        one = seen.documents[piece.document]
        origin = plain(one.origin or "")
        table.add_row(
            str(piece.row) if piece.row != last else "",
            f"{piece.tokens:,}",
            f"{piece.offset:,}",
            str(one.id),
            one.source,
            one.columns.get("lang") or "",
            str(one.columns.get("cluster_size") or ""),
            *([_scores(one)] if wide else []),
            Text(origin if len(origin) <= room else f"…{origin[1 - room :]}"),
        )
        last = piece.row
    console.print(table)
    console.print("[dim]eyas explain RUN DOCUMENT tells a document's decisions; --json all of them, with scores.[/dim]")


def _scores(one: Seen) -> str:
    """The scores of the decisions that kept it: `gopher_quality 0.97, …`."""
    found: list[dict[str, Any]] = [row for row in one.decisions if row["score"] is not None]
    return ", ".join(f"{row['stage']} {row['score']:.3g}" for row in found)
