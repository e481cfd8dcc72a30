"""Joining what filters count: the first measure takes in all that can be joined with it, and passes over the others."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from eyas.corpus.measure import Measure, join


@dataclass(frozen=True)
class Counts:
    """Counts of a kind; only those of the same kind can be joined."""

    kind: str
    names: frozenset[str]
    needs: tuple[str, ...] = ()

    def joined(self, other: Measure) -> Measure | None:
        if not isinstance(other, Counts) or other.kind != self.kind:
            return None
        return Counts(self.kind, self.names | other.names)

    def attach(self, docs: pa.Table) -> pa.Table:
        return docs


def of(kind: str, *names: str) -> Counts:
    return Counts(kind, frozenset(names))


def test_nothing_to_count() -> None:
    assert join([]) is None and join([None, None]) is None


def test_the_first_takes_in_its_like_and_passes_over_others() -> None:
    measures = [None, of("words", "a"), of("lines", "b"), None, of("words", "c", "a")]
    assert join(measures) == of("words", "a", "c")
