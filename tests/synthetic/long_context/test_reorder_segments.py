"""Reordered segments: undone byte for byte, solvable from the last line, and the same in any batch."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_context_checks import HOSTILE, docs, within

from eyas.corpus.documents import SPANS
from eyas.synthetic.long_context import reorder_segments
from eyas.synthetic.long_context.reorder_segments import ReorderSegments


@given(st.lists(HOSTILE, max_size=6), st.integers(0, 2**40), st.integers(1, 40), st.integers(2, 5))
@settings(max_examples=200, deadline=None)
def test_reordering_is_undone_byte_for_byte(texts: list[str], seed: int, size: int, most: int) -> None:
    stage = ReorderSegments(rate=1, segment_characters=size, min_segments=2, max_segments=most, seed=seed)
    out = stage.map(docs(texts))
    orders = out.column("segment_order").to_pylist()
    for before, after, order in zip(texts, out.column("text").to_pylist(), orders, strict=True):
        assert reorder_segments.restore(after, order).encode() == before.encode()
        assert "".join(stage.segments(before)) == before and len(stage.segments(before)) <= most
        if order is None:
            assert after == before
        else:
            assert sorted(order) == list(range(len(order))) != order and len(order) >= 2


def test_the_last_line_gives_the_right_order_and_the_rate_holds() -> None:
    text = "one\n\ntwo\n\nthree\n\nfour"
    out = ReorderSegments(rate=0.25, segment_characters=4, min_segments=4).map(docs([text] * 8000))
    orders = [order for order in out.column("segment_order").to_pylist() if order]
    assert within(len(orders), 0.25, 8000) and len({tuple(order) for order in orders}) == 23, "all but the identity"
    shown = next(
        t for t, o in zip(out.column("text").to_pylist(), out.column("segment_order").to_pylist(), strict=True) if o
    )
    pieces = [piece.split("]\n", 1)[1] for piece in shown.rpartition("[right order]")[0].split("[segment ")[1:]]
    answer = [int(number) for number in shown.rpartition("[right order] ")[2].split()]
    assert "".join(pieces[number - 1][:-1] for number in answer) == text
    with pytest.raises(ValueError, match="expected the segments"):
        reorder_segments.restore("plain", [1, 0])


def test_batches_and_neighbours_change_nothing() -> None:
    stage = ReorderSegments(rate=0.6, segment_characters=5)
    table = docs([f"first {i}\n\nsecond {i}\n\nthird {i}\n\nfourth" for i in range(200)])
    whole = stage.map(table)
    parts = pa.concat_tables([stage.map(table.slice(i, 7)) for i in range(0, 200, 7)])
    assert whole.equals(parts) and whole.column("text") != table.column("text")
    backwards = stage.map(table.take(pa.array(range(199, -1, -1))))
    assert backwards.column("text").to_pylist() == whole.column("text").to_pylist()[::-1]


def test_joined_texts_are_left_unchanged() -> None:
    table = docs(["one\n\ntwo\n\nthree\n\nfour"] * 50).append_column(SPANS, [[[0, 3]] * 50])
    assert ReorderSegments(rate=1, segment_characters=4).map(table).column("text") == table.column("text")
