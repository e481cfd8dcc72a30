"""Names of languages: all of Falcon-H1's, each code once, and the same as in the thresholds by language."""

from __future__ import annotations

import re

from eyas.corpus.language_names import FALCON_H1, language_names
from eyas.filters.languages import load


def test_codes_are_codes_and_names_are_names() -> None:
    names = language_names()
    assert len(FALCON_H1) == 18 and FALCON_H1.items() <= names.items()
    assert {code for code in names if not re.fullmatch("[a-z]{2,3}", code)} == set()
    assert {name for name in names.values() if not re.fullmatch(r"[A-Z][a-z]+( \([^()]+\))?", name)} == set()


def test_no_two_codes_share_a_name() -> None:
    assert len(set(language_names().values())) == len(language_names())


def test_thresholds_by_language_use_the_same_names() -> None:
    assert {code: language.name for code, language in load().items()} == FALCON_H1
