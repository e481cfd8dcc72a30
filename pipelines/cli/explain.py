"""`eyas explain`: the history of one document, or what a training step saw."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.corpus.show.text import plain
from eyas.errors import UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import ASK, Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.analysis.explain import History
    from eyas.pipelines.analysis.explain_step import Seen, StepSeen

_OTHERS, _WIDE = 64, 130
"""Characters of a line that are not the origin's, and of a terminal that has room for scores; `--json` has all."""

app = Verbs()


@app.verb(
    "eyas explain runs/quickstart 4294967301",
    "eyas explain runs/quickstart numpy/conftest.py",
    "eyas explain runs/quickstart --step 12",
    "eyas explain runs/quickstart --step 12 --json | jq '.documents[].origin'",
    panel=ASK,
)
def explain(
    run: options.FinishedRun,
    document: Annotated[
        str | None,
        typer.Argument(
            help="A document's id, its id in your input, its origin, or the end of its origin.", metavar="DOCUMENT"
        ),
    ] = None,
    step: Annotated[
        int | None, typer.Option(help="A training step, counted from 1, instead of a document.", min=1, metavar="N")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Batch size of the training to explain, if it was not started by the recipe.", min=1, metavar="N"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the training to explain, if it was not started by the recipe.", metavar="N"),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="A source's share in the training to explain, if it was not started by the recipe; may be repeated.",
            metavar="SOURCE=SHARE",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what each stage decided on a document, with score, threshold and reason; or what a training step saw."""
    from eyas.corpus.store import Store
    from eyas.pipelines.analysis.explain import explain as histories

    if (document is None) == (step is None):
        raise UsageError("say what to explain: a document (its id or origin), or a step of training (--step N)")
    store = Store(run)
    if document is not None:
        _show_documents(histories(store, document), as_json)
        return
    assert step is not None
    seen = _explain_step(store, step, batch_size, seed, options.weights(weight))
    if as_json:
        data = {**asdict(seen), "documents": list(map(asdict, seen.documents.values()))}
        typer.echo(json.dumps(data, indent=1, default=str))
        return
    _show_step(console(), seen)


def _show_documents(histories: Sequence[History], as_json: bool) -> None:
    if as_json:
        documents = [{**asdict(one), "curated": one.survived} for one in histories]
        typer.echo(json.dumps(documents, indent=1, default=str))
        return
    terminal = console()
    for one in histories:
        _show_document(terminal, one)


def _show_document(to: Console, history: History) -> None:
    from eyas.pipelines.analysis.explain import PASSED

    to.print(f"document {history.id}", style="bold")
    if history.origin:
        to.print(f"origin   {plain(history.origin)}")
    if history.source_id is not None:
        to.print(f"own id   {plain(history.source_id)}")
    if history.parents:
        to.print(f"made of  {', '.join(map(str, history.parents))}")
    decisions = table("stage", "decision", "reason", "score", "threshold", "detail")
    for row in history.decisions:
        decision = {True: "kept", False: "dropped", None: "quarantined"}[row["kept"]]
        reason = row["reason"] or ""
        if reason == PASSED:
            decision, reason = "passed by", ""
        detail = "" if row["stage"] == "read" and row["kept"] else row["detail"] or ""
        numbers = (_number(row["score"]), _number(row["threshold"]))
        decisions.add_row(row["stage"], decision, reason, *numbers, plain(detail))
    print_table(to, decisions)
    to.print("outcome  " + ("curated" if history.survived else "not among the curated documents"))
    if history.excerpt:
        to.print(plain(history.excerpt), style="dim")
    to.print()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _explain_step(
    store: Store, step: int, batch_size: int | None, seed: int | None, weights: dict[str, float]
) -> StepSeen:
    from eyas.pipelines.analysis.explain_step import explain_step, training_of
    from eyas.pipelines.engine.planning import recipe_of_run

    recipe = recipe_of_run(store).options
    if recipe.train is None and batch_size is None:
        raise UsageError(
            f"{store.name()}: its recipe trains nothing, so say how: --batch-size N (and --seed, --weight)"
        )
    if batch_size is None and recipe.train is not None and step > recipe.train.steps:
        raise UsageError(f"--step {step}: the recipe trains for {recipe.train.steps} steps")
    training = training_of(recipe.train, batch_size, weights)
    return explain_step(store, step, training, recipe.seed if seed is None else seed)


def _show_step(to: Console, seen: StepSeen) -> None:
    tokens = sum(piece.tokens for piece in seen.pieces)
    to.print(f"step {seen.step}: {len(seen.rows)} rows, {tokens:,} tokens of {len(seen.documents):,} documents")
    wide = not to.is_terminal or to.width >= _WIDE
    names = ("row", "tokens", "from", "document", "source", "lang", "copies", *(["scores"] if wide else []), "origin")
    pieces = table(*names)
    for column in pieces.columns:
        column.no_wrap = column.header != "scores"
    last = None
    for piece in seen.pieces:
        document = seen.documents[piece.document]
        pieces.add_row(
            str(piece.row) if piece.row != last else "",
            f"{piece.tokens:,}",
            f"{piece.offset:,}",
            str(document.id),
            document.source,
            document.columns.get("lang") or "",
            str(document.columns.get("cluster_size") or ""),
            *([_scores(document)] if wide else []),
            _shortened(to, plain(document.origin or ""), wide),
        )
        last = piece.row
    print_table(to, pieces)
    to.print(
        "`eyas explain RUN DOCUMENT` shows a document's decisions; --json has all of them, with scores.", style="dim"
    )


def _shortened(to: Console, origin: str, wide: bool) -> str:
    """The end of an origin, as much as a terminal's line has room for; all of it elsewhere."""
    room = max(to.width - _OTHERS - (40 if wide else 0), 16)
    return origin if not to.is_terminal or len(origin) <= room else f"…{origin[1 - room :]}"


def _scores(document: Seen) -> str:
    """The scores of the decisions that kept a document: `gopher_quality 0.97, …`."""
    scored: list[dict[str, Any]] = [row for row in document.decisions if row["score"] is not None]
    return ", ".join(f"{row['stage']} {row['score']:.3g}" for row in scored)
