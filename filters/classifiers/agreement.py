"""How well a classifier that learned from grades agrees with who gave them, on documents that it has not seen.

Three figures, because each hides something: accuracy is high where one class is rare, Cohen's kappa takes off what chance
would reach (0: chance, 1: always agrees), Spearman's rho asks whether the order of all grades was learned, not only one cut.
FineWeb-Edu reports F1 of 82 % at its cut; two people rarely reach a kappa above 0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from eyas.filters.classifiers.metrics import Bools, Floats


@dataclass(frozen=True)
class Agreement:
    """Between scores and grades of the same documents."""

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
    """Over the documents that have a label, a grade and a score (NaN: none); None if there are none.

    The label is which side of the cut the grade is on, so accuracy and kappa compare decisions, rho compares orders.
    """
    known = np.array(
        [label is not None and grade is not None for label, grade in zip(labels, grades, strict=True)], np.bool_
    ) & ~np.isnan(scores)
    if not known.any():
        return None
    chosen = np.flatnonzero(known).tolist()
    truth = np.array([labels[i] for i in chosen], np.bool_)
    given = np.array([float(grades[i] or "nan") for i in chosen])
    mine = scores[known]
    decided = mine >= threshold
    return Agreement(len(chosen), float((decided == truth).mean()), kappa(decided, truth), spearman(mine, given))


def kappa(first: Bools, second: Bools) -> float:
    """Cohen's kappa of two judges (Cohen 1960); 1 where both always say the same one thing."""
    agreed = float((first == second).mean())
    a, b = float(first.mean()), float(second.mean())
    chance = a * b + (1 - a) * (1 - b)
    return (agreed - chance) / (1 - chance) if chance < 1 else 1.0


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where one of them is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else 0.0


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: Floats = (ends - (counts - 1) / 2).astype(np.float64)
    return means[place]
