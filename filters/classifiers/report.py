"""The HTML report of one classifier: a self-contained page, readable without network, safe to open.

It answers four questions in this order: is the score any good, may it be read as a probability, does it judge a text or
only where the text comes from, and what does it get wrong. Scraped text is escaped, no script runs, and the page holds no
time, so the same model gives the same bytes. With 40 groups it takes about 150 KB.
"""

# Tested in tests/end_to_end/test_classifier.py.

from __future__ import annotations

from typing import Any

from eyas.corpus.show.page import templates
from eyas.filters.classifiers import plots
from eyas.filters.classifiers.encoder import EncoderOptions
from eyas.filters.classifiers.evaluation import QUANTILES, Evaluation, GroupTable
from eyas.filters.classifiers.learning import Learned

TEMPLATE = "report.html.jinja"
TITLES = {"source": "By source", "lang": "By language", "kind": "By kind"}
SORTS = 0.5
"""Share of the variance between groups from which the page warns."""


def render(learned: Learned) -> str:
    """The page."""
    return templates(__package__, compact=compact).get_template(TEMPLATE).render(**context(learned))


def compact(text: str) -> str:
    """The text without its blank lines, which would fill the few lines that an excerpt has."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def context(learned: Learned) -> dict[str, Any]:
    """Everything the template shows."""
    evaluation = learned.evaluation
    about = learned.description()
    by_encoder = isinstance(learned.spec.model, EncoderOptions)
    return {
        "name": learned.spec.name,
        "about": about,
        "kind": f"logistic head on {about['encoder']['path']}" if by_encoder else "fastText",
        "evaluation": evaluation,
        "sizes": learned.sizes,
        "agreement": learned.agreement,
        "roc": plots.roc(evaluation),
        "precision_recall": plots.precision_recall(evaluation),
        "calibration": plots.calibration(evaluation) if evaluation.reliability else "",
        "histogram": plots.histogram(evaluation),
        "groups": [_group(table, evaluation) for table in evaluation.tables],
        "quantiles": [f"{100 * q:.0f} %" for q in QUANTILES],
        "telling": learned.telling,
        "wrong": sum(1 for item in evaluation.disagreements if (item.score >= evaluation.threshold) != item.positive),
    }


def _group(table: GroupTable, evaluation: Evaluation) -> dict[str, Any]:
    values = [q for row in table.rows for q in row.quantiles]
    low, high = (0.0, 1.0) if evaluation.probability else (min(values), max(values))
    return {
        "title": TITLES.get(table.column, f"By {table.column}"),
        "table": table,
        "strips": plots.strips(table.rows, evaluation.threshold, low, high),
        "warnings": warnings(table, evaluation.roc_auc),
    }


def warnings(table: GroupTable, auc: float) -> list[str]:
    """What is suspicious about a classifier's scores by one column; nothing for a column of one value."""
    if len(table.rows) < 2:
        return []
    column, messages = table.column, []
    if table.explained >= SORTS:
        messages.append(
            f"{100 * table.explained:.0f} % of the variance of the scores lies between the values of {column}: this score "
            f"sorts documents by {column} more than it separates documents of one {column}."
        )
    if table.group_auc is not None and table.group_auc >= auc - 0.02:
        messages.append(
            f"Guessing by {column} alone reaches an AUC of {table.group_auc:.3f} against {auc:.3f} of the classifier: these "
            f"examples cannot show that it has learned anything else."
        )
    if table.mixed == 0 and table.group_auc is not None:
        messages.append(
            f"No {column} has held-out examples of both classes, so nothing here shows how it judges within one. "
            f"Take positives and negatives from the same {column}s."
        )
    elif table.within_auc is not None and table.within_auc < auc - 0.05:
        messages.append(
            f"Within one {column} the AUC is {table.within_auc:.3f} ({table.mixed} with both classes), "
            f"over all {auc:.3f}: part of the whole comes from separating {column}s."
        )
    return messages
