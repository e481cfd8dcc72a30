"""Shared statistics: when several filters need counts of the same text, they are computed once and passed along in a
hidden column.

A filter names the counts that it needs by `measure()`. Before the first filter of a group runs, the engine joins the measures
of all of them and attaches the counts to the documents. A filter that runs alone counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pyarrow as pa


class Measure(Protocol):
    """Something to count in every text. Two measures that count the same are equal."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that it reads besides the text."""

    def joined(self, other: Measure) -> Measure | None:
        """One measure that serves both; None if each must count for itself."""

    def attach(self, docs: pa.Table) -> pa.Table:
        """The documents with the counts in a hidden column, which replaces one of the same name."""


def join(measures: Iterable[Measure | None]) -> Measure | None:
    """The first measure, joined with every other that can be joined with it; None if there is no measure."""
    result: Measure | None = None
    for measure in measures:
        if measure is not None:
            result = measure if result is None else result.joined(measure) or result
    return result
