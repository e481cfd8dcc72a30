"""The sets of symbols and of terminals against datatrove's."""

from __future__ import annotations

import pytest

from eyas.filters.heuristics.symbols import SYMBOLS, TERMINALS

pytest.importorskip("datatrove")
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION


def test_symbols_are_datatroves() -> None:
    assert set(SYMBOLS) == PUNCTUATION_SET and len(SYMBOLS) == len(PUNCTUATION_SET)
    assert set(TERMINALS) == set(TERMINAL_PUNCTUATION) and len(TERMINALS) == 159
    assert [*SYMBOLS, *TERMINALS] == [*sorted(SYMBOLS), *sorted(TERMINALS)]
