"""Formats for people: nothing that a terminal obeys, and sizes in decimal units."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.show.text import human, plain

UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@settings(deadline=None)
@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp", "L"])))
def test_only_what_can_be_shown_is_left_and_nothing_moves(text: str) -> None:
    shown = plain(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        assert after == before if before.isprintable() or before in "\n\t" else after == "\ufffd"
    assert plain(shown) == shown


def test_escape_sequences_and_marks_of_direction_lose_their_power() -> None:
    assert plain("\x1b[2J\x1b]0;title\x07 a\rb \u202efdp\u2066") == "�[2J�]0;title� a�b �fdp�"
    assert plain("naïve — 日本語\n\tclass X:") == "naïve — 日本語\n\tclass X:"


@pytest.mark.parametrize(
    "size, shown",
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (999_949, "999.9 KB"), (12_345_678, "12.3 MB"),
        (2.5e12, "2.5 TB"), (1e16, "10000.0 TB"), (-1500, "-1.5 KB"), (0.4, "0 B"),
    ],
)  # fmt: skip
def test_sizes(size: float, shown: str) -> None:
    assert human(size) == shown


@settings(deadline=None)
@given(st.floats(0, 1e18))
def test_a_size_is_what_it_says_to_a_tenth_of_its_unit(size: float) -> None:
    number, unit = human(size).split(" ")
    assert abs(float(number) * UNITS[unit] - size) <= (0.5 if unit == "B" else 0.0501 * UNITS[unit])
