"""The report of one classifier: a self-contained HTML page, readable without network, safe to open.

It answers in this order: is the score any good, may it be read as a probability, does it judge or only sort by where a text
comes from, and what does it get wrong. Scraped text is escaped, no script runs, and the page holds no time: the same bytes
for the same model. About 150 KB with 40 groups.
"""

from __future__ import annotations

from typing import Any

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
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eyas.filters.classifiers", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Blank lines would fill the few lines that an excerpt has.
    environment.filters["compact"] = lambda text: "\n".join(line for line in text.splitlines() if line.strip())
    environment.filters["share"] = lambda value: f"{100 * value:.1f} %"
    return environment.get_template(TEMPLATE).render(**context(learned))


def context(learned: Learned) -> dict[str, Any]:
    """Everything the template shows."""
    found = learned.evaluation
    about = learned.description()
    own = isinstance(learned.stage.kind, EncoderOptions)
    return {
        "name": learned.stage.name,
        "about": about,
        "kind": f"logistic head on {about['encoder']['path']}" if own else "fastText",
        "found": found,
        "sizes": learned.sizes,
        "agreement": learned.agreement,
        "roc": plots.roc(found),
        "precision_recall": plots.precision_recall(found),
        "calibration": plots.calibration(found) if found.reliability else "",
        "histogram": plots.histogram(found),
        "groups": [_group(table, found) for table in found.tables],
        "quantiles": [f"{100 * q:.0f} %" for q in QUANTILES],
        "telling": learned.telling,
        "wrong": sum(1 for item in found.disagreements if (item.score >= found.threshold) != item.positive),
    }


def _group(table: GroupTable, found: Evaluation) -> dict[str, Any]:
    values = [q for row in table.rows for q in row.quantiles]
    low, high = (0.0, 1.0) if found.probability else (min(values), max(values))
    return {
        "title": TITLES.get(table.column, f"By {table.column}"),
        "table": table,
        "strips": plots.strips(table.rows, found.threshold, low, high),
        "warnings": warnings(table, found.roc_auc),
    }


def warnings(table: GroupTable, auc: float) -> list[str]:
    """What is suspicious about a classifier's scores by one column, in words; nothing for a column of one value."""
    if len(table.rows) < 2:
        return []
    column, said = table.column, []
    if table.explained >= SORTS:
        said.append(
            f"{100 * table.explained:.0f} % of the variance of the scores lies between the values of {column}: this score "
            f"sorts documents by {column} more than it tells documents of one {column} apart."
        )
    if table.group_auc is not None and table.group_auc >= auc - 0.02:
        said.append(
            f"Guessing by {column} alone reaches an AUC of {table.group_auc:.3f} against {auc:.3f} of the classifier: these "
            f"examples cannot show that it has learned anything else."
        )
    if table.mixed == 0 and table.group_auc is not None:
        said.append(
            f"No {column} has held-out examples of both classes, so nothing here tells how it judges within one. "
            f"Take positives and negatives from the same {column}s."
        )
    elif table.within_auc is not None and table.within_auc < auc - 0.05:
        said.append(
            f"Within one {column} the AUC is {table.within_auc:.3f} ({table.mixed} with both classes), "
            f"over all {auc:.3f}: part of the whole comes from telling {column}s apart."
        )
    return said
