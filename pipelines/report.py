"""The report: one self-contained HTML page about a run, readable without network, safe to open.

Scraped text is hostile: the template escapes everything, the page runs no script at all, and plots are inlined SVG.
"""

from __future__ import annotations

import json
from typing import Any

from corpus.store import Store
from pipelines.engine import Outcome, load_result
from pipelines.funnel import funnel
from pipelines.passes.base import Result
from pipelines.progress import human
from pipelines.report_samples import copies, dropped_samples, rewrites, token_samples

TEMPLATE = "report.html.jinja"


def write_report(outcome: Outcome) -> str:
    """Writes `report.html` into the run's folder; returns its path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipelines", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["human"] = human
    page = environment.get_template(TEMPLATE).render(**context(outcome))
    with outcome.store.create("report.html") as output:
        # A lone surrogate cannot occur in Arrow text; other odd characters are the reader's to see.
        output.sink.write(page.encode())
    return outcome.store.path("report.html")


def rewrite_report(store: Store) -> str:
    """Writes the report of a run that lies in `store`; ValueError if there is none, or it is not finished."""
    from pipelines.planning import make_plan
    from pipelines.recipe import load

    if not store.exists("plan.json"):
        raise ValueError(f"{store.root}: no plan.json, so this is not the folder of a run")
    if not store.local:
        raise ValueError("eyas report works on local run folders; `eyas run` again rewrites the report of any other")
    asked = store.read_json("plan.json")
    planned = make_plan(load(store.path("recipe.yaml"), asked["variables"], asked["folder"]))
    results = {p.digest: result for p in planned.passes if (result := load_result(store, p)) is not None}
    if len(results) < len(planned.passes):
        missing = next(p.label for p in planned.passes if p.digest not in results)
        raise ValueError(
            f"{store.root}: the pass {missing!r} is not there, or its inputs have changed; `eyas run` it first"
        )
    return write_report(Outcome(planned, store, results))


def context(outcome: Outcome) -> dict[str, Any]:
    """Everything the template shows."""
    rows = funnel(outcome)
    curated = outcome.of_kind("curated")
    tokenizer = outcome.of_kind("tokenizer")
    shards = outcome.of_kind("shards")
    model = outcome.of_kind("model")
    return {
        "name": outcome.plan.recipe.options.name,
        "recipe": outcome.plan.recipe.text,
        "plan": outcome.plan,
        "passes": [(p, outcome.results[p.digest]) for p in outcome.plan.passes],
        "funnel": rows,
        "read": rows[0].books if rows else None,
        "sources": _sources(outcome),
        "curated": curated.summary if curated else None,
        "samples": dropped_samples(outcome),
        "copies": copies(outcome),
        "clusters": _clusters(outcome),
        "rewrites": rewrites(outcome),
        "tokenizer": tokenizer.summary if tokenizer else None,
        "token_samples": token_samples(outcome) if tokenizer else [],
        "shards": shards.summary if shards else None,
        "model": model.summary if model else None,
        "loss_curve": loss_curve(outcome.store) if model else "",
    }


def _sources(outcome: Outcome) -> list[dict[str, Any]]:
    """Per source: documents and text that came in (read, or generated) and that were curated."""
    curated = outcome.of_kind("curated")
    found: dict[str, dict[str, Any]] = {}
    for row in funnel(outcome):
        for source, books in row.by_source.items():
            # A source's first stage is the one that brought it in.
            found.setdefault(source, {"name": source, "documents": books.documents, "kept": 0, "kept_bytes": 0})
    for part in curated.parts if curated else []:
        found[part.source]["kept"] += part.rows
        found[part.source]["kept_bytes"] += part.text_bytes
    return list(found.values())


def _clusters(outcome: Outcome) -> list[dict[str, Any]]:
    """Per deduplicating pass: what it dropped, and how many candidates it had to look at."""
    found = []
    for planned in outcome.plan.passes:
        result: Result | None = outcome.results.get(planned.digest)
        if planned.kind != "corpus" or result is None:
            continue
        label = planned.stages[0].label
        books = result.total(label)
        found.append({"label": label, "books": books, "summary": result.summary, "sizes": _sizes(outcome, result)})
    return found


def _sizes(outcome: Outcome, result: Result) -> list[tuple[str, int]]:
    """How many clusters there are of each size, where the stage tells sizes."""
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


def loss_curve(store: Store) -> str:
    """The training loss as inline SVG, about 13 KB; empty if there are no metrics."""
    try:
        lines = [json.loads(line) for line in store.fs.cat_file(store.path("model/metrics.jsonl")).splitlines()]
    except FileNotFoundError:
        return ""
    if not lines:
        return ""
    import io

    import matplotlib

    matplotlib.use("svg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], color="#b4541f", linewidth=1.6)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "eyas", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
