"""Samples of text for the report: dropped documents, rewrites beside their source, tokens."""

# Tested in tests/end_to_end/test_report.py.

from __future__ import annotations

from itertools import groupby
from typing import Any

import pyarrow as pa

from eyas.corpus.documents import PARENT, partition_of
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.passes.base import EXCERPT

SHOWN = 4
"""Samples to show of each stage and reason; rewrites to show."""
_COPIES = ("exact_duplicate", "near_duplicate")
"""Reasons whose documents are shown beside what they copy."""

PROBES = (
    r"The energy is \(E = \frac{1}{2}mv^2\), and \lim_{x \to \infty} \sqrt[3]{x} = \infty.",
    "In 2024, 1234567 tokens cost $0.15 (up 3.5%).",
    "def mean(xs: list[float]) -> float:\n    return sum(xs) / len(xs)",
)
"""Texts that show what a tokenizer makes of LaTeX, numbers and code."""


def dropped_samples(outcome: Outcome) -> list[dict[str, Any]]:
    """Samples of what each stage dropped, by stage and reason, a few of each, from different parts."""
    rows = [row for row in _samples(outcome) if row["reason"] not in _COPIES]
    shown = []
    for (stage, reason), group in groupby(rows, key=lambda row: (row["stage"], row["reason"])):
        shown.append({"stage": stage, "reason": reason, "rows": list(group)[:SHOWN]})
    return shown


def _samples(outcome: Outcome) -> list[dict[str, Any]]:
    """All samples in the order of the stages."""
    order: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for planned in outcome.plan.passes:
        result = outcome.results.get(planned.digest)
        for path in result.samples if result else []:
            rows += outcome.store.read_table(path).to_pylist()
        for named in planned.stages:
            order.setdefault(named.label, len(order))
    return sorted(rows, key=lambda row: (order.get(row["stage"], 0), row["reason"], row["id"]))


def _document(outcome: Outcome, document: int) -> dict[str, Any] | None:
    """A document that some pass wrote, by id."""
    for planned in outcome.plan.passes:
        result = outcome.results.get(planned.digest)
        for part in result.parts if result and (planned.kind == "documents" or planned.makes_documents) else []:
            if part.number == partition_of(document):
                rows = outcome.store.read_table(part.documents, filters=[("id", "==", document)]).to_pylist()
                if rows:
                    row: dict[str, Any] = rows[0]
                    return row
    return None


def rewrites(outcome: Outcome) -> list[dict[str, Any]]:
    """Generated documents beside their source: kept ones first, then a refused one for each reason."""
    curated = outcome.curated
    generated = {
        named.label for planned in outcome.plan.passes if planned.kind == "generate" for named in planned.stages
    }
    shown: list[dict[str, Any]] = []
    for part in curated.parts if curated else []:
        if part.source not in generated or len(shown) >= SHOWN:
            continue
        for row in outcome.store.read_table(part.documents).slice(0, SHOWN - len(shown)).to_pylist():
            source = _document(outcome, row[PARENT.name][0])
            shown.append(
                {
                    "origin": row["origin"],
                    "text": row["text"][:EXCERPT],
                    "source": source["text"][:EXCERPT] if source else "",
                    "refused": None,
                }
            )
    return shown + _refused(outcome, generated)


def _refused(outcome: Outcome, generated: set[str]) -> list[dict[str, Any]]:
    """One refused rewrite for each reason, beside its source."""
    shown: dict[str, dict[str, Any]] = {}
    for row in _samples(outcome):
        parent = (row["detail"] or "").removeprefix("from ").split(",")[0]
        if row["stage"] not in generated or row["reason"] in shown or not row["excerpt"] or not parent.isdigit():
            continue
        source = _document(outcome, int(parent))
        if source is not None:
            shown[row["reason"]] = {
                "origin": row["origin"],
                "text": row["excerpt"],
                "source": source["text"][:EXCERPT],
                "refused": _why(row),
            }
    return list(shown.values())


def _why(row: dict[str, Any]) -> str:
    score = "" if row["score"] is None else f": {row['score']:.3g}, threshold {row['threshold']:.3g}"
    return f"{row['reason']}{score}"


def token_samples(outcome: Outcome) -> list[list[str]]:
    """The probes as the tokens of the largest vocabulary."""
    from eyas.tokenizer_train.encoding.encoder import Encoder

    with outcome.store.open("tokenizer/tokenizer.json") as file:
        encoder = Encoder.from_bytes(file.read())
    ids = encoder.encode(pa.array(PROBES, pa.large_string())).to_pylist()
    return [[encoder.decode([token]) for token in text] for text in ids]
