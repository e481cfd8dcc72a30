"""`eyas plan --what-if` on the terminal: the funnel before and after, or one line for each value tried."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from eyas.corpus.show.text import human
from eyas.corpus.store import Store
from eyas.pipelines.analysis.what_if import Moved, WhatIf, finished, parse, recount
from eyas.pipelines.engine.planning import Plan


def show_what_if(console: Console, plan: Plan, store: Store, changes: Sequence[str], as_json: bool = False) -> None:
    """Counts the funnel of the finished run again with thresholds moved, and prints it; ValueError if it cannot."""
    tries = parse(changes)
    results = finished(plan, store)
    found = [(moved, recount(plan, store, results, moved)) for moved in tries]
    if as_json:
        console.print_json(json.dumps([{"moved": _named(moved), **asdict(counts)} for moved, counts in found]))
    elif len(found) == 1:
        _print_funnel(console, found[0][1])
    else:
        _print_sweep(console, found)


def _named(moved: Moved) -> dict[str, float | None]:
    return {f"{label}.{option}": value for (label, option), value in moved.items()}


def _table(*columns: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "reasons" else "right", overflow="fold")
    return table


def _print_funnel(console: Console, found: WhatIf) -> None:
    table = _table("stage", "in", "kept", "in then", "kept then", "change", "reasons")
    for stage in found.stages:
        names = sorted(set(stage.reasons) | set(stage.reasons_then))
        moved = [(name, stage.reasons.get(name, 0), stage.reasons_then.get(name, 0)) for name in names]
        reasons = "  ".join(f"{name} {before:,}→{after:,}" for name, before, after in moved if before != after)
        label = stage.label if stage.exact else f"{stage.label} *"
        counts = (stage.entered, stage.kept, stage.entered_then, stage.kept_then)
        change = f"{stage.kept_then - stage.kept:+,}"
        table.add_row(label, *(f"{count:,}" for count in counts), change, reasons)
    console.print(table)
    before, after = found.kept
    console.print(
        f"\nkept {before:,} → {_range(after, found.unknown)} documents, "
        f"{human(found.bytes[0])} → {human(found.bytes[1])} of text",
        highlight=False,
    )
    for name, groups in (("source", found.sources), ("language", found.languages)):
        changed = {key: counts for key, counts in groups.items() if counts[0] != counts[1]}
        if len(groups) > 1 and changed:
            shown = sorted(changed.items(), key=lambda item: -abs(item[1][1] - item[1][0]))[:12]
            text = ", ".join(f"{key} {counts[0]:,}→{counts[1]:,}" for key, counts in shown)
            console.print(f"by {name}: {text}", highlight=False, markup=False)
    _print_notes(console, found)


def _print_sweep(console: Console, found: Sequence[tuple[Moved, WhatIf]]) -> None:
    table = _table("threshold", "kept", "change", "share", "text", "unknown")
    for moved, counts in found:
        before, after = counts.kept
        entered = counts.stages[0].entered if counts.stages else 0
        name = ", ".join(f"{name}={'null' if value is None else f'{value:g}'}" for name, value in _named(moved).items())
        share = f"{after / entered:.1%}" if entered else ""
        kept = _range(after, counts.unknown)
        table.add_row(name, kept, f"{after - before:+,}", share, human(counts.bytes[1]), f"{counts.unknown:,}")
    console.print(table)
    if found:
        console.print(f"\nas it is: {found[0][1].kept[0]:,} documents kept", highlight=False)
        _print_notes(console, found[0][1])


def _range(known: int, unknown: int) -> str:
    """What stays for sure, and what would if all stayed that only a run can judge."""
    return f"{known:,} to {known + unknown:,}" if unknown else f"{known:,}"


def _print_notes(console: Console, found: WhatIf) -> None:
    if found.unknown:
        console.print(
            f"{found.unknown:,} more would go on to a stage that never saw them: only a run can tell.", highlight=False
        )
    if any(not stage.exact for stage in found.stages):
        console.print(
            "* decides on documents together: counted by its old decisions, which may change.", highlight=False
        )
