"""RefinedWeb's line corrections: what goes, what stays as it is, and what is said of it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.documents import NOTE
from eyas.filters.heuristics import LineCleanup
from eyas.filters.heuristics.lines import COLUMN

GOES = [
    "READ ALL ABOUT IT",
    "1,234",
    "12 / 24 – 2019",
    "3 likes",
    "1.2K followers",
    "Home",
    "Sign in to continue",
    "The story goes on. Read more...",
    "You have 2 items in cart now",
]
STAYS = [
    "A line of plain text.",
    "",
    "    indented = code(1)",
    "NASA launched it.",
    "3 likes make a summer for those who like to count the things that others like, or so they say",
    "In 1999 it began.",
    "They read more books than we do",
]


def clean(*texts: str, **options: object) -> pa.Table:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    return LineCleanup(**options).map(table)


@pytest.mark.parametrize("line", GOES)
def test_what_is_no_text_goes(line: str) -> None:
    text = f"The first line.\n{line}\r\nThe last line.\n"
    found = clean(text)
    assert found.column("text").to_pylist() == ["The first line.\nThe last line.\n"]
    assert found.column(NOTE).to_pylist() == ["1 of 3 lines taken out"]


@pytest.mark.parametrize("line", STAYS)
def test_what_is_text_stays_as_it_is(line: str) -> None:
    text = f"The first line.\n{line}\r\nThe last line.\n"
    found = clean(text)
    assert found.column("text").to_pylist() == [text]
    assert (found.column(NOTE).to_pylist(), found.column(COLUMN).to_pylist()) == ([None], [0.0])


def test_the_share_of_words_that_were_taken_out_is_a_column() -> None:
    found = clean("One two three.\nMENU\n", "MENU", "", "\n\n")
    assert found.column(COLUMN).to_pylist() == [0.25, 1.0, 0.0, 0.0]
    assert found.column("text").to_pylist() == ["One two three.\n", "", "", "\n\n"]


def test_rules_can_be_turned_off_and_both_sets_combined() -> None:
    off = {"max_uppercase_share": None, "numbers": False, "counters": False, "min_words": None, "at_start": ()}
    text = "\n".join(GOES[:7])
    assert clean(text, refinedweb=off).column("text").to_pylist() == [text]
    assert clean(text, refinedweb=None).column("text").to_pylist() == [text]
    both = clean("  A line of text.[1]\nNO SHOUTING HERE AT ALL.\nno end", c4={})
    assert both.column("text").to_pylist() == ["A line of text.\n"]
    assert both.column(NOTE).to_pylist() == ["2 of 3 lines taken out"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30) | st.sampled_from([*GOES, *STAYS]).map(lambda line: line + "\n"), max_size=6))
def test_cleaning_never_adds_and_cleaning_twice_changes_nothing_more(texts: list[str]) -> None:
    once = clean(*texts)
    for before, after in zip(texts, once.column("text").to_pylist(), strict=True):
        lines = iter(before.splitlines(keepends=True))
        assert all(any(line == other for other in lines) for line in after.splitlines(keepends=True))
    again = LineCleanup().map(once)
    assert again.column("text").to_pylist() == once.column("text").to_pylist()
    assert not any(again.column(NOTE).to_pylist())
