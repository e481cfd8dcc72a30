"""Verdicts: plain values spread over all documents, and rules asked in turn agree with the obvious loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus import Rule, Verdict


def test_scalars_count_for_every_document_and_the_kept_have_no_reason() -> None:
    verdict = Verdict.of([True, False, True], reason="bad", score=0.25, threshold=1)
    assert len(verdict) == 3
    assert verdict.kept.to_pylist() == [True, False, True]
    assert verdict.reason.to_pylist() == [None, "bad", None]
    assert verdict.score.to_pylist() == [0.25] * 3
    assert verdict.threshold.to_pylist() == [1.0] * 3
    assert verdict.detail.null_count == 3


def test_reasons_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError):
        Verdict.of([True, False], reason=["only one"])


def test_nothing_to_judge_is_a_verdict_too() -> None:
    for verdict in (Verdict.of([], reason="bad", score=1.0), Verdict.first_failure([], 0)):
        assert len(verdict) == len(verdict.score) == len(verdict.reason) == 0


@settings(deadline=None)
@given(st.integers(0, 6).flatmap(lambda rows: st.lists(st.lists(st.floats(-2, 2), min_size=rows, max_size=rows))))
def test_the_first_rule_that_fails_names_reason_score_and_threshold(scores: list[list[float]]) -> None:
    rows = len(scores[0]) if scores else 3
    rules = [Rule(f"rule-{i}", np.array(row) < i - 1, np.array(row), float(i - 1)) for i, row in enumerate(scores)]
    verdict = Verdict.first_failure(rules, rows)
    for document in range(rows):
        failing = [rule for rule in rules if rule.score[document] < rule.threshold]
        found = (verdict.reason[document].as_py(), verdict.score[document].as_py(), verdict.threshold[document].as_py())
        assert verdict.kept[document].as_py() == (not failing)
        first = failing[0] if failing else None
        assert found == ((first.reason, first.score[document], first.threshold) if first else (None, None, None))
