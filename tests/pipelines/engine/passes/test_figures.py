"""Figures of stages over all tasks of a pass: sums are added, cumulative totals keep the largest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.stage import Figures, Stage
from eyas.pipelines.engine.passes.figures import figures_of, gathered
from eyas.pipelines.engine.passes.records import DocumentsEntry, FiguresRecord


class Paid(Stage):
    """A stage with an account."""

    def figures(self) -> Figures | None:
        return Figures("a model", {"bought": 2}, {"money": 0.5, "refused": None})


def entry(bought: int, money: float, refused: str | None) -> DocumentsEntry:
    record: FiguresRecord = {"account": "m", "sums": {"bought": bought}, "totals": {"money": money, "refused": refused}}
    return {"files": [], "part": {}, "ledger": "", "books": {}, "figures": {"rewrite": record}}


def test_only_stages_with_figures_have_some() -> None:
    assert figures_of([("free", Stage()), ("paid", Paid())]) == {
        "paid": {"account": "a model", "sums": {"bought": 2}, "totals": {"money": 0.5, "refused": None}}
    }
    assert gathered([{"files": [], "part": {}, "ledger": "", "books": {}}]) == gathered([]) == {}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1), st.randoms())
def test_tasks_may_end_in_any_order(tasks: list[tuple[int, float]], random: object) -> None:
    shuffled = list(tasks)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    record = gathered(entry(bought, money, None) for bought, money in shuffled)["rewrite"]
    assert record["sums"] == {"bought": sum(bought for bought, _ in tasks)}
    assert record["totals"] == {"money": max(money for _, money in tasks), "refused": None}


def test_a_word_is_not_lost_to_a_task_without_one() -> None:
    for order in ((None, "spent"), ("spent", None)):
        totals = gathered(entry(0, 0.0, refused) for refused in order)["rewrite"]["totals"]
        assert totals["refused"] == "spent"
