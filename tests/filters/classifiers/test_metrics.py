"""The measures against their definitions, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from classifier_driver import floats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eyas.filters.classifiers import metrics

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]), st.booleans()), min_size=2, max_size=60
)


@settings(deadline=None, max_examples=200)
@given(PAIRS)
def test_areas_curves_and_brier_follow_their_definitions(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = floats([s for s, _ in pairs]), np.array([y for _, y in pairs])
    assume(labels.any() and not labels.all())
    positive, negative = scores[labels][:, None], scores[~labels][None, :]
    wins = float((positive > negative).mean() + (positive == negative).mean() / 2)
    assert metrics.roc_auc(scores, labels) == pytest.approx(wins, abs=1e-12)
    assert metrics.brier(scores, labels) == pytest.approx(float(np.mean((scores - labels) ** 2)), abs=1e-12)
    curve = metrics.curve(scores, labels)
    assert curve.threshold.tolist() == sorted(set(scores.tolist()), reverse=True)
    taken = [scores >= threshold for threshold in curve.threshold]
    assert curve.true_positive_rate == pytest.approx([t[labels].mean() for t in taken])
    assert curve.false_positive_rate == pytest.approx([t[~labels].mean() for t in taken])
    assert curve.precision == pytest.approx([labels[t].mean() for t in taken])
    steps = np.diff([0.0, *curve.true_positive_rate])
    assert metrics.average_precision(scores, labels) == pytest.approx(float(steps @ curve.precision), abs=1e-12)


def test_a_constant_score_knows_nothing() -> None:
    labels = np.array([True, False, True, False])
    assert metrics.roc_auc(floats([0.3] * 4), labels) == 0.5
    assert metrics.average_precision(floats([0.3] * 4), labels) == 0.5
    assert metrics.brier(floats([0.5] * 4), labels) == 0.25


def test_one_class_alone_has_no_curve() -> None:
    with pytest.raises(ValueError, match="needs both classes; found 2 positive and 0 negative"):
        metrics.roc_auc(floats([0.1, 0.2]), np.array([True, True]))


def test_calibration_by_hand() -> None:
    scores, labels = floats([0.0, 0.05, 0.95, 1.0, 0.31]), np.array([False, True, True, True, False])
    bins = metrics.reliability(scores, labels)
    assert [(item.low, item.documents, item.positive_share) for item in bins] == [
        (0.0, 2, 0.5),
        (0.3, 1, 0.0),
        (0.9, 2, 1.0),
    ]
    assert bins[2].mean_score == pytest.approx(0.975)
    assert metrics.expected_calibration_error(bins) == pytest.approx((2 * 0.475 + 0.31 + 2 * 0.025) / 5)


def test_a_score_that_follows_its_group_is_explained_by_it() -> None:
    groups = np.array(["a", "a", "b", "b"])
    assert metrics.explained(floats([0, 0, 1, 1]), groups) == 1.0
    assert metrics.explained(floats([0, 1, 0, 1]), groups) == 0.0
    assert metrics.explained(floats([0.5] * 4), groups) == 0.0
    assert metrics.explained(floats([]), np.array([])) == 0.0


@pytest.mark.parametrize("size", [1, 399, 400, 401, 5000])
def test_a_thinned_curve_keeps_its_ends(size: int) -> None:
    scores = np.linspace(1, 0, size + 1)
    curve = metrics.curve(scores, np.arange(size + 1) % 2 == 0)
    thin = curve.thinned()
    assert len(thin.threshold) <= metrics.CURVE_POINTS
    assert (thin.threshold[0], thin.threshold[-1]) == (curve.threshold[0], curve.threshold[-1])
