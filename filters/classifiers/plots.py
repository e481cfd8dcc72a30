"""The plots of a classifier's report as inlined SVG of 10 to 25 KB, without scripts; equal figures give equal bytes."""

# Tested in tests/filters/classifiers/test_report.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyas.corpus.show.svg import COOL, HOT, SOFT, inline_svg
from eyas.filters.classifiers.evaluation import Evaluation, GroupRow


def roc(evaluation: Evaluation) -> str:
    """The ROC curve, with the diagonal of a score that knows nothing."""

    def draw(axes: Any) -> None:
        curve = evaluation.curve.thinned()
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle="--")
        axes.plot([0, *curve.false_positive_rate], [0, *curve.true_positive_rate], color=HOT, linewidth=1.8)
        axes.set_xlabel("share of negatives taken")
        axes.set_ylabel("share of positives taken")
        _unit(axes)

    return inline_svg(draw, 4, 3.4)


def precision_recall(evaluation: Evaluation) -> str:
    """Precision against recall, with the base rate: the precision of taking everything."""

    def draw(axes: Any) -> None:
        curve = evaluation.curve.thinned()
        axes.axhline(evaluation.base_rate, color=SOFT, linewidth=0.8, linestyle="--")
        axes.text(0.02, evaluation.base_rate + 0.02, f"base rate {evaluation.base_rate:.2f}", color=SOFT, fontsize=9)
        axes.plot([0, *curve.true_positive_rate], [curve.precision[0], *curve.precision], color=HOT, linewidth=1.8)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        _unit(axes)

    return inline_svg(draw, 4, 3.4)


def calibration(evaluation: Evaluation) -> str:
    """The share of positives against the mean score of each bin, with the number of documents beside each point."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle="--")
        x = [item.mean_score for item in evaluation.reliability]
        y = [item.positive_share for item in evaluation.reliability]
        axes.plot(x, y, color=HOT, linewidth=1.2, marker="o", markersize=5)
        for item in evaluation.reliability:
            low = item.positive_share < 0.5
            axes.annotate(
                f"{item.documents:,}",
                (item.mean_score, item.positive_share),
                xytext=(0, 9 if low else -14),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=SOFT,
            )
        axes.set_xlabel("mean score of the bin")
        axes.set_ylabel("share that is positive")
        axes.set_xlim(-0.06, 1.06)
        axes.set_ylim(-0.06, 1.06)

    return inline_svg(draw, 4, 3.4)


def histogram(evaluation: Evaluation) -> str:
    """How many held-out examples of each class have which score; the axis of counts is logarithmic."""

    def draw(axes: Any) -> None:
        scores = evaluation.scores
        low, high = (0.0, 1.0) if evaluation.probability else (float(scores.min()), float(scores.max()) + 1e-9)
        edges = np.linspace(low, high, 41)
        for mask, colour in ((~evaluation.labels, COOL), (evaluation.labels, HOT)):
            axes.hist(scores[mask], bins=edges, color=colour, alpha=0.55)
        axes.axvline(evaluation.threshold, color=SOFT, linewidth=0.8, linestyle="--")
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.set_xlabel("score")
        axes.set_ylabel("documents (log)")

    return inline_svg(draw, 4, 3.4)


def strips(rows: Sequence[GroupRow], threshold: float, low: float, high: float) -> str:
    """A row per group: the median, the middle half, and the middle nine tenths of its scores."""

    def draw(axes: Any) -> None:
        places = np.arange(len(rows))[::-1]
        for place, row in zip(places, rows, strict=True):
            q5, q25, q50, q75, q95 = row.quantiles
            axes.plot([q5, q95], [place, place], color="#d8cfc0", linewidth=5, solid_capstyle="round")
            axes.plot([q25, q75], [place, place], color=COOL, linewidth=5, solid_capstyle="butt")
            axes.plot([q50], [place], color=HOT, marker="|", markersize=12, markeredgewidth=2.5)
        axes.axvline(threshold, color=SOFT, linewidth=0.8, linestyle="--")
        margin = 0.02 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        names = [_printable(row.name) for row in rows]
        axes.set_yticks(places, [f"{name} ({row.documents:,})" for name, row in zip(names, rows, strict=True)])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("score")

    return inline_svg(draw, 9, 0.75 + 0.27 * len(rows))


def _printable(name: str) -> str:
    """A group's name as a label: short, and without what matplotlib would take for mathematics or XML cannot hold."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name).replace("$", r"\$")
    return clean if len(clean) <= 36 else f"{clean[:16]}…{clean[-19:]}"


def _unit(axes: Any) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
