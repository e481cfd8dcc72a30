"""Cutting documents into pieces: nothing is lost or too long, and cuts are at the best place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyas.synthetic.chunks import join, split, trim


@given(st.text(alphabet=st.sampled_from("ab .!?\n\t。é"), max_size=300), st.integers(1, 60))
def test_pieces_hold_all_of_the_text_and_none_is_too_long(text: str, most: int) -> None:
    pieces = split(text, most)
    assert all(0 < len(piece) <= most and piece.strip() and piece == trim(piece) for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_the_cut_is_at_a_paragraph_then_a_line_then_a_sentence_then_a_word() -> None:
    assert split("one one.\n\ntwo two.\n\nthree", 20) == ["one one.\n\ntwo two.", "three"]
    assert split("one one\ntwo two\nthree", 16) == ["one one\ntwo two", "three"]
    assert split("One is here. Two is there. Three.", 27) == ["One is here. Two is there.", "Three."]
    assert split("一是。二是。三是。", 6) == ["一是。二是。", "三是。"]
    assert split("one two three", 8) == ["one two", "three"]
    assert split("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split(" \n", 5) == [] and split("short", 100) == ["short"]
    long = "A sentence that is long enough to be cut. And another one.\n\nThe next paragraph."
    assert split(long, 45) == ["A sentence that is long enough to be cut.", "And another one.\n\nThe next paragraph."]


def test_joining_leaves_out_what_is_empty() -> None:
    assert join(["a ", "", " \n", "\n  b\n"]) == "a\n\n  b"
