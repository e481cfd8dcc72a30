"""How good a score is: ROC, precision and recall, Brier score by scikit-learn; calibration and variance by group by hand.

Documents of one score are taken or left together, so a curve has a point for each different score, and a constant score
has an area of exactly 0.5 under its ROC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.errors import InputError
from eyas.filters.classifiers.extra import load_extra

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BINS = 10
"""Bins of the calibration curve, equally wide."""
CURVE_POINTS = 400
"""Most points of a curve that a report keeps."""


def sklearn_metrics() -> Any:
    """The module `sklearn.metrics`; `StageUnavailable` without scikit-learn."""
    return load_extra("sklearn.metrics", "the report of a classifier")


@dataclass(frozen=True)
class Curve:
    """One point for each different score, from the highest down: what is taken if that score is the threshold."""

    threshold: Floats
    true_positive_rate: Floats
    """Recall: the share of positives that is taken."""
    false_positive_rate: Floats
    precision: Floats

    def thinned(self, points: int = CURVE_POINTS) -> Curve:
        """About `points` of the points, the first and the last among them."""
        if len(self.threshold) <= points:
            return self
        at = np.unique(np.linspace(0, len(self.threshold) - 1, points).round().astype(np.int64))
        return Curve(self.threshold[at], self.true_positive_rate[at], self.false_positive_rate[at], self.precision[at])


def curve(scores: Floats, labels: Bools) -> Curve:
    """The curve of `scores` (length n, no NaN) against `labels`; both classes must occur, or ValueError."""
    _check_classes(labels)
    sklearn = sklearn_metrics()
    # scikit-learn begins with a point at which nothing is taken, and ends its other curve with one of no recall.
    false_rate, true_rate, thresholds = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    precision, _, _ = sklearn.precision_recall_curve(labels, scores)
    return Curve(thresholds[1:], true_rate[1:], false_rate[1:], precision[-2::-1])


def roc_auc(scores: Floats, labels: Bools) -> float:
    """The probability that a positive document has the higher score of two; ties count half."""
    _check_classes(labels)
    return float(sklearn_metrics().roc_auc_score(labels, scores))


def average_precision(scores: Floats, labels: Bools) -> float:
    """The mean precision over the positives, without interpolation."""
    _check_classes(labels)
    return float(sklearn_metrics().average_precision_score(labels, scores))


def brier(scores: Floats, labels: Bools) -> float:
    """The mean square of score minus label: 0 is perfect, 0.25 is what always saying 0.5 gives (Brier 1950)."""
    return float(sklearn_metrics().brier_score_loss(labels, scores))


def _check_classes(labels: Bools) -> None:
    positives = int(labels.sum())
    if not 0 < positives < len(labels):
        raise InputError(
            f"a curve needs both classes; found {positives} positive and {len(labels) - positives} negative documents"
        )


@dataclass(frozen=True)
class Reliability:
    """One bin of the calibration curve: its documents, their mean score, and the share of them that is positive."""

    low: float
    high: float
    documents: int
    mean_score: float
    positive_share: float

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "documents": self.documents,
            "mean_score": round(self.mean_score, 6),
            "positive_share": round(self.positive_share, 6),
        }


def reliability(scores: Floats, labels: Bools, bins: int = BINS) -> list[Reliability]:
    """The calibration curve over `bins` equal bins of [0, 1], without empty ones; all scores must lie in [0, 1]."""
    number = np.minimum((scores * bins).astype(np.int64), bins - 1)
    filled = []
    for bin_ in range(bins):
        inside = number == bin_
        if inside.any():
            mean, share = float(scores[inside].mean()), float(labels[inside].mean())
            filled.append(Reliability(bin_ / bins, (bin_ + 1) / bins, int(inside.sum()), mean, share))
    return filled


def expected_calibration_error(bins: list[Reliability]) -> float:
    """The mean distance of score and share over the bins, weighted by their documents (Naeini et al. 2015)."""
    documents = sum(item.documents for item in bins)
    return sum(item.documents * abs(item.mean_score - item.positive_share) for item in bins) / max(documents, 1)


def explained(scores: Floats, groups: npt.NDArray[Any]) -> float:
    """The share of the scores' variance that lies between groups (eta squared): 1 if the group alone fixes a score."""
    total = float(np.sum((scores - scores.mean()) ** 2)) if len(scores) else 0.0
    if total == 0.0:
        return 0.0
    between = 0.0
    for name in np.unique(groups):
        inside = scores[groups == name]
        between += len(inside) * float(inside.mean() - scores.mean()) ** 2
    return min(between / total, 1.0)
