"""Shared statistics: one measure for several filters, and counts that travel with the documents."""

from __future__ import annotations

import numpy as np
import pytest

from eyas.corpus.documents import documents
from eyas.filters.heuristics import statistics
from eyas.filters.heuristics.statistics import TextMeasure, divide

DOCS = documents([0, 1], ["one two two.", ""], "s", ["a", "b"])


def test_measures_join_unless_they_differ_in_what_one_walk_can_count() -> None:
    joined = TextMeasure(short_line=30, top=(2,)).joined(TextMeasure(terminals=".", top=(2, 3), repeated=(5,)))
    assert joined == TextMeasure(terminals=".", short_line=30, top=(2, 3), repeated=(5,))
    assert TextMeasure(short_line=30).joined(TextMeasure(short_line=40)) is None
    assert joined.covers(TextMeasure(top=(3,))) and not joined.covers(TextMeasure(top=(4,)))


def test_attached_counts_are_used_if_they_cover_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, narrow = TextMeasure(top=(1, 2), stop_words=(("", ("one",)),)), TextMeasure(top=(1,))
    expected = narrow.of(DOCS)
    attached = wide.attach(wide.attach(DOCS))
    monkeypatch.setattr(statistics, "text_statistics", None)
    counts = narrow.of(attached)
    for name in ("words", "characters", "top_1_gram"):
        assert counts[name].tolist() == expected[name].tolist()
    assert wide.of(attached)["stop_words"].tolist() == [1, 0] and len(counts) == 2
    assert counts.take(np.array([1]))["words"].tolist() == [0]


def test_nothing_divided_by_nothing_is_no_number() -> None:
    assert np.isnan(divide(np.array([0]), np.array([0])))[0] and divide(np.array([1]), np.array([2]))[0] == 0.5
