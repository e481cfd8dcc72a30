"""`eyas what-if`: the funnel of a finished run with other thresholds, counted from its scores."""

# Tested in tests/end_to_end/test_what_if.py.

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.corpus.show.text import human
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import ASK, Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.pipelines.analysis.what_if import Moved, WhatIf

app = Verbs()


@app.verb(
    "eyas what-if runs/quickstart gopher_quality.min_doc_words=80 language.min_score=0.5",
    "eyas what-if runs/quickstart gopher_quality.min_doc_words=20,40,80,null    # a table, a row for each",
    panel=ASK,
)
def what_if(
    run: options.FinishedRun,
    changes: Annotated[
        list[str],
        typer.Argument(
            help="A threshold and its new value. null turns the rule off. Several values, such as 20,40,80, are each tried.",
            metavar="STAGE.OPTION=VALUE",
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Move thresholds of a finished run and count its funnel again, from its scores: no text is read."""
    from eyas.corpus.store import Store
    from eyas.pipelines.analysis.what_if import finished, parse, recount
    from eyas.pipelines.engine.planning import plan_of_run

    store = Store(options.run_folder(run, "what-if"))
    tries = parse(changes)
    planned = plan_of_run(store)
    results = finished(planned, store)
    counted = [(moved, recount(planned, store, results, moved)) for moved in tries]
    if as_json:
        typer.echo(json.dumps([{"moved": _named(moved), **asdict(counts)} for moved, counts in counted], indent=2))
    elif len(counted) == 1:
        _print_funnel(console(), counted[0][1])
    else:
        _print_sweep(console(), counted)


def _named(moved: Moved) -> dict[str, float | None]:
    return {f"{label}.{option}": value for (label, option), value in moved.items()}


def _print_funnel(to: Console, counted: WhatIf) -> None:
    figures = ("in", "kept", "in then", "kept then", "change")
    rows = table("stage", *figures, "reasons", right=figures)
    for stage in counted.stages:
        names = sorted(set(stage.reasons) | set(stage.reasons_then))
        moved = [(name, stage.reasons.get(name, 0), stage.reasons_then.get(name, 0)) for name in names]
        reasons = "  ".join(f"{name} {before:,}→{after:,}" for name, before, after in moved if before != after)
        label = stage.label if stage.exact else f"{stage.label} *"
        counts = (stage.entered, stage.kept, stage.entered_then, stage.kept_then)
        change = f"{stage.kept_then - stage.kept:+,}"
        rows.add_row(label, *(f"{count:,}" for count in counts), change, reasons)
    print_table(to, rows)
    before, after = counted.kept
    to.print(
        f"\nkept {before:,} → {_range(after, counted.unknown)} documents, "
        f"{human(counted.bytes[0])} → {human(counted.bytes[1])} of text"
    )
    for name, groups in (("source", counted.sources), ("language", counted.languages)):
        changed = {key: counts for key, counts in groups.items() if counts[0] != counts[1]}
        if len(groups) > 1 and changed:
            shown = sorted(changed.items(), key=lambda item: -abs(item[1][1] - item[1][0]))[:12]
            text = ", ".join(f"{key} {counts[0]:,}→{counts[1]:,}" for key, counts in shown)
            to.print(f"by {name}: {text}")
    _print_notes(to, counted)


def _print_sweep(to: Console, tries: Sequence[tuple[Moved, WhatIf]]) -> None:
    figures = ("kept", "change", "share", "text", "unknown")
    rows = table("threshold", *figures, right=figures)
    for moved, counts in tries:
        before, after = counts.kept
        entered = counts.stages[0].entered if counts.stages else 0
        name = ", ".join(f"{name}={'null' if value is None else f'{value:g}'}" for name, value in _named(moved).items())
        share = f"{after / entered:.1%}" if entered else ""
        kept = _range(after, counts.unknown)
        rows.add_row(name, kept, f"{after - before:+,}", share, human(counts.bytes[1]), f"{counts.unknown:,}")
    print_table(to, rows)
    if tries:
        to.print(f"\nas it is: {tries[0][1].kept[0]:,} documents kept")
        _print_notes(to, tries[0][1])


def _range(known: int, unknown: int) -> str:
    """How many documents stay for sure; with unknown ones, the range of how many may stay."""
    return f"{known:,} to {known + unknown:,}" if unknown else f"{known:,}"


def _print_notes(to: Console, counted: WhatIf) -> None:
    if counted.unknown:
        to.print(f"{counted.unknown:,} more would reach a stage that never scored them: only a run decides on those.")
    if any(not stage.exact for stage in counted.stages):
        to.print("* decides on documents together: counted by its old decisions, which a run may change.")
