"""The funnel counted again: what a change may say, and a run with a mapper, a joiner and a generator in it."""

from __future__ import annotations

import pytest

from eyas.errors import InputError
from eyas.pipelines.analysis.what_if import finished, parse, recount
from eyas.pipelines.engine.engine import Outcome


def test_one_change_may_list_several_values() -> None:
    assert parse(["a.b=3", " c#2.d[2] = null "]) == [{("a", "b"): 3.0, ("c#2", "d[2] "): None}]
    assert parse(["a.b=3", "c.d=1,2e-1,off"]) == [{("a", "b"): 3.0, ("c", "d"): value} for value in (1.0, 0.2, None)]
    assert parse([]) == [{}]


@pytest.mark.parametrize(
    "changes, message",
    [
        (["a.b"], r"a\.b: expected STAGE\.OPTION=VALUE"),
        (["b=3"], "expected STAGE"),
        (["a.b=x"], "'x' is not a number"),
        (["a.b=1,2", "c.d=3,4"], "only one threshold can have several values"),
    ],
)
def test_a_change_that_is_none(changes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(changes)


def test_without_a_change_it_is_the_funnel_of_the_run(small_run: Outcome) -> None:
    results = finished(small_run.plan, small_run.store)
    counted = recount(small_run.plan, small_run.store, results, {})
    assert [stage.label for stage in counted.stages] == ["gopher_quality", "shout", "exact_dedup"]
    for stage in counted.stages:
        books = next(result.total(stage.label) for result in results.values() if stage.label in result.books)
        assert (stage.entered, stage.kept) == (stage.entered_then, stage.kept_then) == (books.documents, books.kept)
    assert counted.unknown == 0 and counted.kept[0] == counted.kept[1] == counted.stages[-1].kept


def test_a_threshold_moved_behind_a_joiner_counts_documents_and_unknown_ones(small_run: Outcome) -> None:
    results = finished(small_run.plan, small_run.store)
    off = recount(small_run.plan, small_run.store, results, {("gopher_quality", "min_doc_words"): None})
    strict = recount(small_run.plan, small_run.store, results, {("gopher_quality", "min_doc_words"): 60.0})
    assert off.stages[0].kept_then > off.stages[0].kept > strict.stages[0].kept_then > 0
    assert off.unknown == off.stages[0].kept_then - off.stages[0].kept and strict.unknown == 0
    with pytest.raises(InputError, match=r"gopher_quality.min_words is no threshold that can be moved; did you mean"):
        recount(small_run.plan, small_run.store, results, {("gopher_quality", "min_words"): 1.0})
