"""Figures that stages give besides the books (what a language model cost, say), gathered over the tasks of a pass.

Sums are added. Totals are cumulative over all tasks of an account, so the largest value is the latest.
"""

from __future__ import annotations

from collections.abc import Iterable

from eyas.corpus.stage import Stage
from eyas.pipelines.engine.passes.records import DocumentsEntry, FiguresRecord


def figures_of(stages: Iterable[tuple[str, Stage]]) -> dict[str, FiguresRecord]:
    """The figures of the stages that have any, by label, for the entry of a task."""
    records: dict[str, FiguresRecord] = {}
    for label, stage in stages:
        figures = stage.figures()
        if figures is not None:
            records[label] = {
                "account": figures.account,
                "sums": dict(figures.sums),
                "totals": dict(figures.totals),
            }
    return records


def gathered(entries: Iterable[DocumentsEntry]) -> dict[str, FiguresRecord]:
    """The figures of all tasks, by label of their stage; {} if no stage has any."""
    records: dict[str, FiguresRecord] = {}
    for entry in entries:
        for label, figures in entry.get("figures", {}).items():
            into = records.setdefault(label, {"account": figures["account"], "sums": {}, "totals": {}})
            for name, value in figures["sums"].items():
                into["sums"][name] = into["sums"].get(name, 0) + value
            for name, total in figures["totals"].items():
                into["totals"][name] = _latest(into["totals"].get(name), total)
    return records


def _latest(known: float | str | None, value: float | str | None) -> float | str | None:
    if isinstance(known, int | float) and isinstance(value, int | float):
        return max(value, known)
    return known if value is None else value
