"""The report's section on stages that use language models: what was bought, what became of it, and what went wrong."""

# Tested in tests/end_to_end/test_rewriting.py.

from __future__ import annotations

from typing import Any

from eyas.corpus.show.text import plain
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.passes.records import FiguresRecord
from eyas.pipelines.engine.planning import Pass

EXAMPLE = 160
"""Characters of an example on the terminal."""
EVENTS = {
    "timeout": "requests that took longer than the time limit",
    "connection_lost": "connections that broke off before the answer was whole",
    "no_connection": "attempts at which nobody listened (not counted as requests)",
    "rate_limited": "refusals because of too many requests (429)",
    "server_error": "errors of the server (5xx)",
    "bad_json": "answers that were no chat completion",
    "empty": "answers without text",
    "refused_request": "requests that the endpoint found wrong (400)",
    "refused": "requests that the endpoint does not allow (401, 403, 404)",
    "lost": "requests under way when their process died: counted as spent, and sent again",
    "interrupted": "requests that were broken off by an error of ours",
    "more_tokens_than_reserved": "answers that cost more tokens than any tokenizer should need",
}
"""What can happen to a request, in words."""


def models(outcome: Outcome) -> list[dict[str, Any]]:
    """One section for each stage that has an account, in the order of the recipe."""
    return [_section(outcome, planned, label, figures) for planned, label, figures in outcome.figures]


def _section(outcome: Outcome, planned: Pass, label: str, figures: FiguresRecord) -> dict[str, Any]:
    totals, sums = figures["totals"], figures["sums"]
    events = {name.removeprefix("events."): count for name, count in totals.items() if name.startswith("events.")}
    seconds, output_tokens = _number(totals["seconds"]), _number(totals["output_tokens"])
    books = outcome.results[planned.digest].total(label)
    # The budget that an earlier run reached may have been raised since.
    stopped = planned.kind != "generate" or "budget_exhausted" in books.reasons
    return {
        "label": label,
        "account": figures["account"],
        "books": books,
        "bought": int(sums.get("bought", 0)),
        "known": int(sums.get("known", 0)),
        "refused": totals["refused"] if stopped else None,
        **{name: totals[name] for name in ("requests", "input_tokens", "output_tokens", "money", "budget")},
        "seconds": seconds,
        "tokens_per_second": output_tokens / seconds if seconds else None,
        "events": [(EVENTS.get(name, name), count) for name, count in sorted(events.items())],
    }


def _number(total: float | str | None) -> float:
    return float(total or 0)


def lines(outcome: Outcome) -> list[tuple[str, str]]:
    """Label and summary of each section, in a line, for the terminal."""
    summaries = []
    for section in models(outcome):
        text = (
            f"{section['bought']:,} answers bought, {section['known']:,} known before; in all "
            f"{section['requests']:,} requests, {section['input_tokens']:,} tokens in, {section['output_tokens']:,} out"
        )
        text += f" at {section['tokens_per_second']:,.0f}/s" if section["tokens_per_second"] else ""
        text += f", {section['money']:,.2f} spent" if section["money"] else ""
        text += f"; the budget of {section['budget']} is spent" if section["refused"] else ""
        summaries.append((section["label"][:10], text))
        if (example := _example(outcome, section["label"])) is not None:
            summaries.append(("", f"for example: {example}"))
    return summaries


def _example(outcome: Outcome, label: str) -> str | None:
    """The beginning of the first text that a stage made and that was kept; None if there is none."""
    planned = next(p for p in outcome.plan.passes if label in (named.label for named in p.stages))
    parts = [part for part in outcome.results[planned.digest].parts if part.source == label and part.kept]
    tables = (docs for part in parts for docs in part.tables(outcome.store, ["text"]))
    first = next(tables, None)
    if first is None:
        return None
    text = " ".join(first.column("text")[0].as_py().split())
    return plain(text if len(text) <= EXAMPLE else text[: EXAMPLE - 1] + "…")
