"""The report's section on deduplication: losses by source, the S-curve and measured similarities, pairs side by side."""

from __future__ import annotations

import difflib
import re
from typing import Any

import numpy as np
import pyarrow as pa

from eyas.corpus.show.svg import COOL, HOT, SOFT, inline_svg
from eyas.filters.dedup.audit import PATH, SCHEMA
from eyas.filters.dedup.banding import probability
from eyas.filters.dedup.base import ALARM_DOCUMENTS, DedupStage
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.filters.dedup.verify import BINS
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Pass

_PASSED_OVER = (("audit", "too_long"), ("verify", "of_earlier_runs"))
PAIRS = 6
"""Pairs shown for each stage, spread evenly over its sources."""


def duplicates(outcome: Outcome) -> list[dict[str, Any]]:
    """A section for each deduplicating pass that is done."""
    return [
        _section(outcome, planned, planned.stages[0].stage, result)
        for planned in outcome.plan.passes
        if (result := outcome.results.get(planned.digest)) is not None
        and planned.stages
        and isinstance(planned.stages[0].stage, DedupStage)
    ]


def _section(outcome: Outcome, planned: Pass, stage: DedupStage, result: Result) -> dict[str, Any]:
    label = planned.stages[0].label
    audited = _audited(outcome, planned)
    return {
        "label": label,
        "books": result.total(label),
        "candidates": result.summary.get("clusters", {}).get("candidates"),
        "sampled": audited.num_rows,
        "right": int(np.sum(audited.column("right").to_numpy(zero_copy_only=False))),
        "passed_over": {name: result.summary.get(step, {}).get(name, 0) for step, name in _PASSED_OVER},
        "limit": stage.max_loss,
        "sources": _sources(stage, result, label),
        "sizes": _sizes(outcome, result),
        "curve": _curve(stage, result) if isinstance(stage, MinhashDedup) else "",
        "banding": stage.banding if isinstance(stage, MinhashDedup) else None,
        "jaccard": isinstance(stage, MinhashDedup),
        "pairs": [_pair(row) for row in _spread(audited.to_pylist())],
    }


def _audited(outcome: Outcome, planned: Pass) -> pa.Table:
    path = f"{planned.folder}/{PATH}"
    return outcome.store.read_table(path) if outcome.store.exists(path) else SCHEMA.empty_table()


def _sources(stage: DedupStage, result: Result, label: str) -> list[dict[str, Any]]:
    """What each source lost, the worst first."""
    rows = []
    for source, books in result.books.get(label, {}).items():
        share, words = stage.lost(books)
        rings = books.documents >= ALARM_DOCUMENTS and share > stage.max_loss
        rows.append({"name": source, "share": share, "words": words, "rings": rings})
    return sorted(rows, key=lambda row: -row["share"])


def _sizes(outcome: Outcome, result: Result) -> list[tuple[str, int]]:
    """How many clusters there are of each size; empty if the stage adds no sizes."""
    counts: dict[int, int] = {}
    for part in result.parts:
        mask = outcome.store.read_table(part.masks[-1])
        if "cluster_size" not in mask.column_names:
            return []
        sizes = mask.filter(mask.column("kept")).column("cluster_size").value_counts().to_pylist()
        for entry in sizes:
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    bins = [(2, 2), (3, 3), (4, 7), (8, 15), (16, 63), (64, 1 << 62)]
    named = []
    for low, high in bins:
        count = sum(n for size, n in counts.items() if size is not None and low <= size <= high)
        name = str(low) if low == high else f"{low}–{high}" if high < 1 << 62 else f"{low} and more"
        named.append((name, count))
    return [item for item in named if item[1]]


def _curve(stage: MinhashDedup, result: Result) -> str:
    """The S-curve, and over it the measured similarities of the candidates."""
    counts = [result.summary.get("verify", {}).get(f"jaccard_{number:02d}", 0) for number in range(BINS)]

    def draw(axes: Any) -> None:
        x = np.linspace(0, 1, 201)
        axes.plot(x, probability(x, *stage.banding), color=HOT, linewidth=1.8)
        axes.axvline(stage.verify_jaccard, color=SOFT, linewidth=0.9, linestyle="--")
        axes.set_xlabel("Jaccard similarity")
        axes.set_ylabel("probability to become a candidate", color=HOT)
        axes.set_ylim(0, 1.04)
        right = axes.twinx()
        middles = (np.arange(BINS) + 0.5) / BINS
        colours = [COOL if middle >= stage.verify_jaccard else "#c9bfae" for middle in middles]
        right.bar(middles, counts, width=0.9 / BINS, color=colours, alpha=0.75)
        right.set_ylabel("documents compared", color=COOL)
        right.spines["top"].set_visible(False)
        axes.set_zorder(right.get_zorder() + 1)
        axes.patch.set_visible(False)

    return inline_svg(draw, 8, 3)


def _spread(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few pairs, wrong ones first, then from each source in turn, the least similar of each first."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["right"], row["value"], row["dropped"])):
        by_source.setdefault(row["source"], []).append(row)
    queue = [row for turn in range(PAIRS) for rows_of in by_source.values() for row in rows_of[turn : turn + 1]]
    return queue[:PAIRS]


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    left, right = marked(row["kept_text"], row["dropped_text"])
    return {**row, "left": left, "other": right}


def marked(left: str, right: str) -> tuple[list[tuple[bool, str]], list[tuple[bool, str]]]:
    """Both texts as runs of (differs, text), compared word by word."""
    a, b = (re.findall(r"\s+|[^\s]+", text) for text in (left, right))
    runs: tuple[list[tuple[bool, str]], list[tuple[bool, str]]] = ([], [])
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for side, words in ((0, a[i:j]), (1, b[k:m])):
            if words:
                runs[side].append((tag != "equal", "".join(words)))
    return runs
