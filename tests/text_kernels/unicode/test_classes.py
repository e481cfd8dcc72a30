"""The Unicode table: what the `tokenizers` engine says today is what the file says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.unicode.make_table import CLASS_PATTERNS, FLAG_PATTERNS, SURROGATES

CODES = np.array([code for code in range(unicode_classes.CODE_POINTS) if code not in SURROGATES])
TEXT = "".join(map(chr, CODES.tolist()))


def matched_by(pattern: str) -> list[int]:
    """The code points that the engine matches, found another way than in the generator: by removing what matches."""
    matched = np.ones(len(CODES), np.bool_)
    for _, (start, stop) in Split(Regex(f"(?:{pattern})+"), "removed").pre_tokenize_str(TEXT):
        matched[start:stop] = False
    codes: list[int] = CODES[matched].tolist()
    return codes


@pytest.mark.parametrize("name", unicode_classes.CLASSES)
def test_classes_are_the_engines(name: str) -> None:
    codes = np.flatnonzero(unicode_classes.classes() == unicode_classes.CLASSES[name])
    assert codes.tolist() == matched_by(CLASS_PATTERNS[name])


@pytest.mark.parametrize("name", unicode_classes.FLAGS)
def test_flags_are_the_engines(name: str) -> None:
    codes = np.flatnonzero(unicode_classes.flags() & unicode_classes.FLAGS[name])
    assert codes.tolist() == matched_by(FLAG_PATTERNS[name])


def test_lower_case_is_pythons_where_it_is_one_to_one() -> None:
    lower = unicode_classes.lower_case()
    changed = np.flatnonzero(lower != np.arange(len(lower)))
    assert len(changed) > 1300
    assert all(chr(code).lower() == chr(lower[code]) for code in changed.tolist())
    assert lower[ord("İ")] == ord("İ") and lower[ord("Σ")] == ord("σ")


def test_loads_fast() -> None:
    seconds = []
    for _ in range(5):
        for load in (unicode_classes.classes, unicode_classes.flags, unicode_classes.lower_case, unicode_classes._read):
            load.cache_clear()
        start = time.perf_counter()
        unicode_classes.classes(), unicode_classes.flags(), unicode_classes.lower_case()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


def test_tables_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        unicode_classes.classes()[0] = 1
