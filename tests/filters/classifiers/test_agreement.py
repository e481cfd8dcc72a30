"""Agreement of scores and grades: its figures, and the cases that scikit-learn and SciPy leave undefined."""

from __future__ import annotations

import numpy as np
import pytest

from eyas.filters.classifiers.agreement import Agreement, agreement, kappa, spearman


def test_the_figures_are_those_of_scikit_learn_and_scipy() -> None:
    metrics, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(3)
    grades = draw.integers(0, 6, 200).astype(float)
    scores = np.round(grades / 6 + draw.normal(0, 0.2, 200), 1)
    truth, decided = grades >= 3, scores >= 0.5
    assert kappa(decided, truth) == pytest.approx(metrics.cohen_kappa_score(decided, truth))
    assert spearman(scores, grades) == pytest.approx(stats.spearmanr(scores, grades).statistic)


def test_what_has_no_grade_no_label_or_no_score_is_left_out() -> None:
    scores = np.array([0.9, 0.1, 0.8, np.nan, 0.7])
    figures = agreement(scores, [True, False, None, True, True], ["4.0", "0", "3", "5", None], 0.5)
    assert figures == Agreement(2, 1.0, 1.0, pytest.approx(1.0))
    assert agreement(scores, [True] * 5, ["1", "", None, "1", ""], 0.5) == Agreement(1, 1.0, 1.0, 0.0)
    assert agreement(scores, [None] * 5, ["1"] * 5, 0.5) is None
    assert kappa(np.array([True, True]), np.array([True, True])) == 1.0
    assert spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == 0.0
