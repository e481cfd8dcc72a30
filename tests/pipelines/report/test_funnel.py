"""The funnel of a run: stages in the order of the recipe, whose documents add up."""

from __future__ import annotations

from eyas.corpus.ledger import Books
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.report.funnel import funnel


def test_stages_come_in_the_order_of_the_recipe_and_hand_on_what_they_keep(small_run: Outcome) -> None:
    rows = funnel(small_run)
    assert [row.label for row in rows] == ["read", "gopher_quality", "shout", "exact_dedup", "pairs", "echo"]
    for before, after in zip(rows[:3], rows[1:4], strict=True):
        assert after.books.documents == before.books.kept
    for row in rows:
        row.books.check(row.label, "funnel")
        total = Books()
        for books in row.by_source.values():
            total.add(books)
        assert total == row.books and sum(row.books.reasons.values()) == row.books.dropped + row.books.quarantined


def test_a_run_that_was_stopped_has_the_rows_it_came_to(small_run: Outcome) -> None:
    first = small_run.plan.passes[0].digest
    stopped = Outcome(small_run.plan, small_run.store, {first: small_run.results[first]})
    assert [row.label for row in funnel(stopped)] == ["read", "gopher_quality", "shout"]
