"""The report: one self-contained HTML page about a run, readable without network, safe to open.

Scraped text is hostile: the template escapes everything, the page runs no script at all, and plots are inlined SVG.
"""

# Tested in tests/end_to_end/test_report.py.

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from eyas.corpus.sealed import DamagedFile
from eyas.corpus.show.page import templates
from eyas.corpus.show.svg import COOL, HOT, inline_svg
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.pipelines.engine.costs import read_costs
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.journal import Status, status_of
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.passes.records import ShardsSummary
from eyas.pipelines.engine.planning import plan_of_run
from eyas.pipelines.engine.results import load_result, stored_results
from eyas.pipelines.report.dedup import duplicates
from eyas.pipelines.report.funnel import funnel
from eyas.pipelines.report.language_models import models
from eyas.pipelines.report.samples import dropped_samples, rewrites, token_samples

TEMPLATE, REPORT = "report.html.jinja", "report.html"


def write_report(outcome: Outcome) -> str:
    """Writes `report.html` into the run's folder, also for a run that failed or is at work; returns its path."""
    page = templates("eyas.pipelines.report", trim_blocks=False).get_template(TEMPLATE).render(**context(outcome))
    with outcome.store.create(REPORT) as output:
        # Arrow text has no lone surrogates, so all of it can be encoded.
        output.sink.write(page.encode())
    return outcome.store.path(REPORT)


def rewrite_report(store: Store) -> str:
    """Writes the report of the run in `store`, as far as it is; InputError if there is none, or it has done nothing yet."""
    planned = plan_of_run(store)
    books = stored_results(store)
    results: dict[str, Result] = {}
    for p in planned.passes:
        # Where passes/ was deleted, the books of its passes are left, and their samples are not.
        result = load_result(store, p) or (books.get(p.digest) if p.product is None else None)
        if result is not None:
            results[p.digest] = result
    if not results:
        raise InputError(
            f"{store.name()}: no pass is done yet, so there is nothing to report; `eyas status` says how far it is"
        )
    return write_report(Outcome(planned, store, results))


def context(outcome: Outcome) -> dict[str, Any]:
    """The values that the template shows."""
    rows = funnel(outcome)
    curated, tokenizer, shards, model = outcome.curated, outcome.tokenizer, outcome.shards, outcome.model
    return {
        "name": outcome.plan.recipe.options.name,
        "status": _status(outcome),
        "missing": [p.label for p in outcome.plan.passes if p.digest not in outcome.results],
        "costs": _costs(outcome),
        "recipe": outcome.plan.recipe.text,
        "plan": outcome.plan,
        # A run that an alarm stopped has a report, too.
        "passes": [(p, outcome.results[p.digest]) for p in outcome.plan.passes if p.digest in outcome.results],
        "funnel": rows,
        "shares": outcome.shares,
        "joined": [{"label": label, **counts} for label, counts in outcome.joined],
        "read": rows[0].books if rows else None,
        "sources": _sources(outcome),
        "curated": curated.summary if curated else None,
        "samples": dropped_samples(outcome),
        "duplicates": duplicates(outcome),
        "models": models(outcome),
        "rewrites": rewrites(outcome),
        "tokenizer": tokenizer.summary if tokenizer else None,
        "token_samples": token_samples(outcome) if tokenizer else [],
        "shards": shards.summary if shards else None,
        "model": model.summary if model else None,
        "length_plot": length_plot(shards.summary) if shards and shards.summary["documents"] else "",
        "loss_curve": loss_curve(outcome.store) if model else "",
    }


def _status(outcome: Outcome) -> Status | None:
    """The state of the run; None for one of an earlier version."""
    try:
        return status_of(outcome.store)
    except InputError:
        return None


def _costs(outcome: Outcome) -> list[dict[str, Any]]:
    """What each pass took; nothing if the cost ledger is damaged, which the run itself reports."""
    try:
        return cost_table(read_costs(outcome.store))
    except DamagedFile:
        return []


def cost_table(costs: pa.Table) -> list[dict[str, Any]]:
    """What each pass took over all calls of `eyas run`, in the order of the passes."""
    rows: dict[str, dict[str, Any]] = {}
    for cost in costs.to_pylist():
        row = rows.setdefault(cost["pass"], {"label": cost["pass"] or "driver", "tasks": 0, "wall_s": 0.0, "cpu_s": 0.0,
            "peak_bytes": 0, "read_bytes": 0, "written_bytes": 0, "requests": 0, "again": 0})  # fmt: skip
        row["tasks"] += 1
        row["again"] += cost["attempts"] - 1
        row["peak_bytes"] = max(row["peak_bytes"], cost["peak_bytes"])
        for name in ("wall_s", "cpu_s", "read_bytes", "written_bytes", "requests"):
            row[name] += cost[name]
    return list(rows.values())


def _sources(outcome: Outcome) -> list[dict[str, Any]]:
    """Per source: documents that were read or generated, and documents and text that were curated."""
    curated = outcome.curated
    sources: dict[str, dict[str, Any]] = {}
    for row in funnel(outcome):
        for source, books in row.by_source.items():
            # A source's first stage is the one that read or made it.
            sources.setdefault(source, {"name": source, "documents": books.documents, "kept": 0, "kept_bytes": 0})
    for part in curated.parts if curated else []:
        sources[part.source]["kept"] += part.kept
        sources[part.source]["kept_bytes"] += part.text_bytes
    return list(sources.values())


def length_plot(summary: ShardsSummary) -> str:
    """How many documents have how many tokens, in powers of two, and where a row ends; inline SVG."""
    counts = summary["histogram"]

    def draw(axes: Any) -> None:
        axes.bar([2**power for power in range(len(counts))], counts, width=[0.9 * 2**p for p in range(len(counts))],
                 align="edge", color=COOL)  # fmt: skip
        axes.axvline(summary["sequence_length"], color=HOT, linewidth=1.4)
        axes.set_xscale("log", base=2)
        axes.set_xlabel(f"tokens in a document (line: a row of {summary['sequence_length']:,})")
        axes.set_ylabel("documents")

    return inline_svg(draw, 8, 2.4)


def loss_curve(store: Store) -> str:
    """The training loss as inline SVG, about 13 KB; empty if there are no metrics."""
    try:
        lines = [json.loads(line) for line in store.fs.cat_file(store.path("model/metrics.jsonl")).splitlines()]
    except FileNotFoundError:
        return ""
    if not lines:
        return ""

    measured = [line for line in lines if "held_out" in line]

    def draw(axes: Any) -> None:
        axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], color=HOT, linewidth=1.6)
        axes.set_xlabel("step")
        axes.set_ylabel("loss (nats per token)")
        if len(measured) > 1:
            right = axes.twinx()
            values = [line["held_out"]["all"] for line in measured]
            right.plot([line["step"] for line in measured], values, color=COOL, marker="o", markersize=3)
            right.set_ylabel("held out (bits per byte)")

    return inline_svg(draw, 8, 3)
