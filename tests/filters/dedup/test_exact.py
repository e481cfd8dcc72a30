"""Exact deduplication against a dictionary of texts, whatever the cut into parts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dedup_driver import run
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.dedup import base
from eyas.filters.dedup.exact import ExactDedup, plain_url

TEXTS = st.lists(
    st.sampled_from(["", "a", "A", "b", " a", "a\n", "é", "É", "e\u0301", "\0", "a\0", "\ufeffa"]), max_size=20
)


def folded(text: str, ignore_case: bool, ignore_whitespace: bool) -> str:
    text = text.lower() if ignore_case else text
    return " ".join(text.split()) if ignore_whitespace else text


@settings(deadline=None, max_examples=40)
@given(TEXTS, st.booleans(), st.booleans(), st.data())
def test_the_first_of_equal_texts_stays(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], case: bool, space: bool, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=2)))
    stage = ExactDedup(ignore_case=case, ignore_whitespace=space)
    first: dict[str, int] = {}
    for i, outcome in enumerate(run(stage, tmp_path_factory.mktemp("exact"), texts, cuts)):
        anchor = first.setdefault(folded(texts[i], case, space), i)
        assert outcome.kept == (anchor == i)
        assert (outcome.of, outcome.reason) == ((None, None) if anchor == i else (anchor, "exact_duplicate"))


def test_documents_dropped_before_are_no_originals(tmp_path: Path) -> None:
    outcomes = run(ExactDedup(), tmp_path, ["same", "other", "same", "same"], cuts=[2], gone=[0])
    assert [(outcome.kept, outcome.of) for outcome in outcomes] == [(True, None), (True, None), (False, 2)]


def test_many_buckets_decide_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    texts = [str(chance.randrange(150)) for _ in range(400)]
    whole = run(ExactDedup(), tmp_path / "one", texts)
    monkeypatch.setattr(base, "SHARE", 16_000_000 / 500)
    cut = run(ExactDedup(memory=16_000_000), tmp_path / "many", texts, cuts=[100, 101, 350])
    assert cut == whole
    assert sum(outcome.kept for outcome in whole) == len(set(texts))


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert run(ExactDedup(), tmp_path / "empty part", []) == []
    assert list(ExactDedup().plan([])) == []


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("http://www.Example.org:80/a/#top", "example.org/a"),
        ("https://example.org:443/a?x=1", "example.org/a?x=1"),
        ("www.example.org/a", "example.org/a"),
        ("https://example.org:80/", "example.org:80"),
        ("ftp://example.org/a", "ftp://example.org/a"),
        ("http://[broken", "http://[broken"),
        ("", ""),
    ],
)
def test_addresses_lose_what_seldom_tells_two_pages_apart(address: str, plain: str) -> None:
    assert plain_url(address) == plain


def test_by_a_column_that_some_parts_have_not(tmp_path: Path) -> None:
    keys = {"key": ["a", None, "a", "b"]}
    outcomes = run(ExactDedup(by="key"), tmp_path, ["1", "2", "3", "4"], cuts=[2], carry=keys)
    assert [outcome.kept for outcome in outcomes] == [True, True, False, True]
    assert [outcome.kept for outcome in run(ExactDedup(by="absent"), tmp_path / "absent", ["1", "1"])] == [True, True]
