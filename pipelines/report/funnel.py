"""The funnel: for each stage the documents that entered, those that were kept, and why the others were not."""

from __future__ import annotations

from dataclasses import dataclass

from eyas.corpus.ledger import Books
from eyas.pipelines.engine.engine import Outcome


@dataclass(frozen=True)
class FunnelRow:
    """One stage over all sources, and by source."""

    label: str
    books: Books
    by_source: dict[str, Books]


def funnel(outcome: Outcome) -> list[FunnelRow]:
    """A row per stage, in the order of the recipe, beginning with `read`."""
    rows = []
    for planned in outcome.plan.passes:
        result = outcome.results.get(planned.digest)
        if result is None or planned.product is not None:
            continue
        for label in [*(["read"] if planned.reads else []), *(named.label for named in planned.stages)]:
            if result.books.get(label):
                rows.append(FunnelRow(label, result.total(label), result.books[label]))
    return rows
