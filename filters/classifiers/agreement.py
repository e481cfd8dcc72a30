"""How well a classifier that learned from grades agrees with them on documents that it has not seen.

There are three figures, because each hides something. Accuracy is high where one class is rare. Cohen's kappa subtracts
what chance would reach (0: chance, 1: always agrees). Spearman's rho measures whether the order of all grades was learned,
not only one cut. FineWeb-Edu reports F1 of 82 % at its cut; two people rarely reach a kappa above 0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from eyas.filters.classifiers.extra import load_extra
from eyas.filters.classifiers.metrics import Bools, Floats, sklearn_metrics


@dataclass(frozen=True)
class Agreement:
    """Figures of agreement between the scores and the grades of the same documents."""

    documents: int
    accuracy: float
    kappa: float
    spearman: float

    def to_json(self) -> dict[str, float]:
        """A plain JSON object."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def agreement(
    scores: npt.NDArray[np.float64], labels: Sequence[bool | None], grades: Sequence[str | None], threshold: float
) -> Agreement | None:
    """Agreement on the documents that have a label, a grade and a score (NaN: none); None if there are no such documents.

    A label is the side of the cut that the grade lies on: accuracy and kappa compare decisions, rho compares orders.
    """
    graded = np.array(
        [label is not None and bool(grade) for label, grade in zip(labels, grades, strict=True)], np.bool_
    )
    known = graded & ~np.isnan(scores)
    if not known.any():
        return None
    rows = np.flatnonzero(known).tolist()
    truth = np.array([labels[row] for row in rows], np.bool_)
    numbers = np.array([float(grades[row] or "nan") for row in rows])
    decided = scores[known] >= threshold
    accuracy = float((decided == truth).mean())
    return Agreement(len(rows), accuracy, kappa(decided, truth), spearman(scores[known], numbers))


def kappa(first: Bools, second: Bools) -> float:
    """Cohen's kappa of two judges (Cohen 1960), by scikit-learn; 1 where both always give the same answer."""
    if np.array_equal(first, second):
        return 1.0  # scikit-learn divides 0 by 0 where there is only one answer
    return float(sklearn_metrics().cohen_kappa_score(first, second))


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation by SciPy, ties at their mean rank; 0 where one of the two is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(load_extra("scipy.stats", "the agreement of scores and grades").spearmanr(first, second).statistic)
