"""What stages tell of their work besides the books (a language model's spending, say), gathered over the tasks of a pass.

Sums are added. Running totals are those of an account that all tasks share, so the furthest is the last: numbers only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eyas.corpus.task import Entry
from eyas.pipelines.recipe.recipe import NamedStage


def told(stages: Sequence[NamedStage]) -> dict[str, Any]:
    """The figures of the stages that have any, by label, as JSON for the entry of a task."""
    found = {}
    for named in stages:
        figures = named.stage.figures()
        if figures is not None:
            found[named.label] = {
                "account": figures.account,
                "sums": dict(figures.sums),
                "totals": dict(figures.totals),
            }
    return found


def gathered(entries: Iterable[Entry]) -> dict[str, Any]:
    """The figures of all tasks, by label of their stage; {} if no stage told any."""
    found: dict[str, Any] = {}
    for entry in entries:
        for label, figures in entry.get("figures", {}).items():
            into = found.setdefault(label, {"account": figures["account"], "sums": {}, "totals": {}})
            for name, value in figures["sums"].items():
                into["sums"][name] = into["sums"].get(name, 0) + value
            for name, value in figures["totals"].items():
                known = into["totals"].get(name)
                is_number = isinstance(value, int | float) and isinstance(known, int | float)
                into["totals"][name] = max(value, known) if is_number else value if value is not None else known
    return found
