"""Patterns of paths, beside fsspec's own with Python's `re`."""

from __future__ import annotations

import re
import time

import pytest
from fsspec.utils import glob_translate
from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus.sources.globs import matches_any
from eyas.errors import InputError

NAMES = st.text(st.sampled_from("ab/é.\n-[]!^\\x "), max_size=12)
PARTS = st.lists(
    st.sampled_from(["*", "?", "a", "b", "é", ".", "[a-b]", "[!a]", "[", "]", "-", "\\", " ", "^"]), max_size=6
)
PATTERNS = st.lists(st.one_of(st.just("**"), PARTS.map("".join)), min_size=1, max_size=4).map("/".join)


@given(PATTERNS, st.lists(NAMES, max_size=8))
def test_patterns_match_what_fsspec_matches(pattern: str, names: list[str]) -> None:
    try:
        expression = re.compile(glob_translate(pattern))
    except (ValueError, re.error):
        with pytest.raises(InputError):
            matches_any(names, [pattern])
        return
    assert matches_any(names, [pattern]).tolist() == [expression.match(name) is not None for name in names]


def test_names_that_are_not_utf8_match_stars() -> None:
    assert matches_any(["a\udcff.txt", "b/a\udcff.txt"], ["*.txt"]).tolist() == [True, False]


def test_the_time_is_linear() -> None:
    started = time.monotonic()
    assert not matches_any(["a" * 4000], ["*a*a*a*a*a*a*b"]).any()
    assert time.monotonic() - started < 10  # by backtracking: years


def test_a_pattern_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InputError, match=r"the pattern '\*\*a' cannot be read"):
        matches_any(["a"], ["**a"])
