"""Joined texts: parents and spans are recorded, and groups keep to their limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus.documents import PARENT, SPANS
from eyas.synthetic.long_context.joined import Joined, filled, restore, runs_up_to, table_of


@given(st.lists(st.integers(0, 12)), st.integers(1, 12))
def test_groups_keep_to_the_limit_and_hold_every_item_that_fits(sizes: list[int], limit: int) -> None:
    items = list(range(len(sizes)))
    for cut, ordered in ((runs_up_to, True), (filled, False)):
        runs = list(cut(items, sizes, limit))
        assert all(sum(sizes[i] for i in run) <= limit and run for run in runs)
        flat = [i for run in runs for i in run]
        assert sorted(flat) == [i for i in items if sizes[i] <= limit] and (not ordered or flat == sorted(flat))


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_parents_come_back_from_text_and_spans(texts: list[str]) -> None:
    joined = Joined("related", ("<|file|>",))
    for number, text in enumerate(texts):
        joined.add_words("é\n")
        joined.add(number, text)
    row = table_of([joined]).to_pylist()[0]
    assert row["text"] == joined.text and joined.size == len(joined.text.encode())
    assert restore(row["text"], row[SPANS.name]) == texts and row[PARENT.name] == list(range(len(texts)))
    assert row["long_context"] == "related" and row["control_tokens"] == ["<|file|>"] and row["error"] is None
