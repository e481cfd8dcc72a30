"""Evaluates a classifier on documents that it has not learned from: measures, scores by group, and the worst mistakes.

One number hides the usual failure. A score can separate its two classes perfectly by recognising *where* a text comes from
(marin#6849: clean code and dense mathematics in the junk bucket). So an evaluation shows scores by source, language and
kind, over documents of every kind; the share of their variance that the group explains; the AUC that guessing by group
alone would reach, and the AUC left within groups that hold both classes. `evaluate` works on any scorer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.filters.classifiers import metrics
from eyas.filters.classifiers.metrics import Bools, Floats, Reliability

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DISAGREEMENTS = 20
EXCERPT = 700
"""Characters of a document that a report shows."""
MOST_GROUPS = 40
"""Groups of one column that a report shows, the largest first; the others are one row."""
NO_GROUP = "(none)"
OTHERS = "(others)"


class Scorer(Protocol):
    """Anything that gives one score per document, NaN for a document that it cannot score."""

    def scores(self, text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True)
class GroupRow:
    """The scores of one group of documents."""

    name: str
    documents: int
    positives: int
    negatives: int
    """Positives and negatives are the documents with a label."""
    quantiles: tuple[float, ...]
    """The scores at `QUANTILES`."""
    above: float
    """Share at or above the threshold."""


@dataclass(frozen=True)
class GroupTable:
    """Scores by the values of one column, the largest group first."""

    column: str
    rows: list[GroupRow]
    explained: float
    """Share of the variance of all scores that lies between the groups."""
    group_auc: float | None
    """AUC of guessing labels by the group's share of positives alone; null without both classes."""
    within_auc: float | None
    """AUC of the score within groups that hold both classes, weighted by their pairs; null if no group does."""
    mixed: int
    """Groups that hold both classes."""


@dataclass(frozen=True)
class Disagreement:
    """A labelled document whose score is far from its label."""

    score: float
    positive: bool
    excerpt: str
    where: str
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report shows of one classifier."""

    documents: int
    positives: int
    unscored: int
    """Documents that the classifier could not score; nothing below counts them."""
    threshold: float
    roc_auc: float
    average_precision: float
    accuracy: float
    """Share decided rightly at the threshold."""
    precision: float
    recall: float
    curve: metrics.Curve
    probability: bool
    """Whether all scores lie in [0, 1]; only then is there a calibration."""
    brier: float | None
    calibration_error: float | None
    reliability: list[Reliability]
    scores: Floats
    labels: Bools
    """Scores and labels of the labelled documents that have a score, for histograms."""
    tables: list[GroupTable] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def base_rate(self) -> float:
        """The share of positives: the precision of taking everything."""
        return self.positives / max(self.documents, 1)

    def to_json(self) -> dict[str, Any]:
        """The content of report.json; figures with six digits."""
        curve = self.curve.thinned()
        return {
            "documents": self.documents,
            "positives": self.positives,
            "unscored": self.unscored,
            "threshold": self.threshold,
            **self.figures(),
            "calibration": [item.to_json() for item in self.reliability],
            "curve": {
                "threshold": _rounded(curve.threshold),
                "recall": _rounded(curve.true_positive_rate),
                "false_positive_rate": _rounded(curve.false_positive_rate),
                "precision": _rounded(curve.precision),
            },
            "groups": [_table_json(table) for table in self.tables],
            "disagreements": [
                {**vars(item), "groups": dict(item.groups), "score": round(item.score, 6)}
                for item in self.disagreements
            ],
        }

    def figures(self) -> dict[str, float]:
        """The single numbers, but for those that do not exist."""
        figures = {
            "roc_auc": self.roc_auc,
            "average_precision": self.average_precision,
            "accuracy": self.accuracy,
            "precision": self.precision,
            "recall": self.recall,
            "brier": self.brier,
            "calibration_error": self.calibration_error,
        }
        return {name: round(value, 6) for name, value in figures.items() if value is not None}


def evaluate(
    model: Scorer,
    texts: pa.Array | Sequence[str],
    labels: Sequence[bool | None] | npt.NDArray[Any],
    groups: Mapping[str, Sequence[str | None]] | None = None,
    where: Sequence[str] | None = None,
    threshold: float = 0.5,
) -> Evaluation:
    """Scores `texts` (length n) by `model` and compares the scores with `labels` (true: positive, null: no label).

    `groups`: by column (source, lang, kind), one value per document. `where`: the name of each document. Labelled
    documents must not be among those the model learned from. ValueError unless both classes have a scored document.
    """
    text = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())
    raw = np.asarray(model.scores(text), np.float64)
    has_score = ~np.isnan(raw)
    labelled = np.array([label is not None for label in labels], np.bool_)
    positive = np.array([label is True or label == 1 for label in labels], np.bool_)
    known = labelled & has_score
    scores, truth = raw[known], positive[known]
    curve = metrics.curve(scores, truth)
    probability = bool(((raw[has_score] >= 0.0) & (raw[has_score] <= 1.0)).all())
    bins = metrics.reliability(scores, truth) if probability else []
    taken = scores >= threshold
    values = {name: np.array([str(v) if v else NO_GROUP for v in column]) for name, column in (groups or {}).items()}
    return Evaluation(
        documents=int(known.sum()),
        positives=int(truth.sum()),
        unscored=int((~has_score).sum()),
        threshold=threshold,
        roc_auc=metrics.roc_auc(scores, truth),
        average_precision=metrics.average_precision(scores, truth),
        accuracy=float((taken == truth).mean()),
        precision=float(truth[taken].mean()) if taken.any() else 0.0,
        recall=float(taken[truth].mean()),
        curve=curve,
        probability=probability,
        brier=metrics.brier(scores, truth) if probability else None,
        calibration_error=metrics.expected_calibration_error(bins) if probability else None,
        reliability=bins,
        scores=scores,
        labels=truth,
        tables=[
            _group_table(name, column[has_score], raw[has_score], labelled[has_score], positive[has_score], threshold)
            for name, column in values.items()
        ],
        disagreements=_disagreements(text, raw, known, positive, values, where, threshold),
    )


def _disagreements(
    text: pa.Array | pa.ChunkedArray,
    raw: Floats,
    known: Bools,
    positive: Bools,
    values: Mapping[str, npt.NDArray[Any]],
    where: Sequence[str] | None,
    threshold: float,
) -> list[Disagreement]:
    """The labelled documents on the wrong side of the threshold, or nearest to it, the worst first."""
    distance = np.where(positive, threshold - raw, raw - threshold)
    order = [i for i in np.argsort(-np.where(known, distance, -np.inf), kind="stable").tolist() if known[i]]
    return [
        Disagreement(
            float(raw[i]),
            bool(positive[i]),
            text[i].as_py()[:EXCERPT],
            where[i] if where is not None else f"#{i}",
            {name: str(column[i]) for name, column in values.items()},
        )
        for i in order[:DISAGREEMENTS]
    ]


def _group_table(
    name: str, groups: npt.NDArray[Any], scores: Floats, labelled: Bools, positive: Bools, threshold: float
) -> GroupTable:
    names, counts = np.unique(groups, return_counts=True)
    largest = [str(names[i]) for i in np.lexsort((names, -counts))]
    shown = largest if len(largest) <= MOST_GROUPS else largest[: MOST_GROUPS - 1]
    rows = []
    for group in [*shown, *([OTHERS] if len(shown) < len(largest) else [])]:
        inside = ~np.isin(groups, shown) if group == OTHERS else groups == group
        rows.append(
            GroupRow(
                group,
                int(inside.sum()),
                int((labelled & positive & inside).sum()),
                int((labelled & ~positive & inside).sum()),
                tuple(float(q) for q in np.quantile(scores[inside], QUANTILES)),
                float((scores[inside] >= threshold).mean()),
            )
        )
    group_auc, within_auc, mixed = _auc_by_group(groups[labelled], scores[labelled], positive[labelled])
    return GroupTable(name, rows, metrics.explained(scores, groups), group_auc, within_auc, mixed)


def _auc_by_group(groups: npt.NDArray[Any], scores: Floats, positive: Bools) -> tuple[float | None, float | None, int]:
    """AUC of guessing by group alone, AUC within groups, and the number of groups with both classes."""
    if positive.all() or not positive.any():
        return None, None, 0
    share = np.zeros(len(scores))
    pairs = total = 0.0
    mixed = 0
    for name in np.unique(groups):
        inside = groups == name
        truth = positive[inside]
        share[inside] = truth.mean()
        if truth.any() and not truth.all():
            weight = float(truth.sum() * (~truth).sum())
            total += weight * metrics.roc_auc(scores[inside], truth)
            pairs += weight
            mixed += 1
    return metrics.roc_auc(share, positive), total / pairs if pairs else None, mixed


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 6) for value in values]


def _table_json(table: GroupTable) -> dict[str, Any]:
    return {
        "column": table.column,
        "explained": round(table.explained, 6),
        "group_auc": None if table.group_auc is None else round(table.group_auc, 6),
        "within_auc": None if table.within_auc is None else round(table.within_auc, 6),
        "mixed": table.mixed,
        "rows": [
            {**vars(row), "quantiles": _rounded(np.array(row.quantiles)), "above": round(row.above, 6)}
            for row in table.rows
        ],
    }
