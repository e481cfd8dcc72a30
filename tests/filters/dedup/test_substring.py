"""Shared spans of text against a naive twin: a dictionary of every window of every document."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dedup_driver import run
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyas.filters.dedup import base, substring
from eyas.filters.dedup.substring import SubstringDedup
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.words import words

PHRASES = [
    "the quick brown fox jumps over ",
    "é" * 20,
    "🎉 party ",
    "lazy dog. ",
    "日本語の文章です。",
    "a" * 40,
    "x y z ",
]
TEXT = st.lists(st.sampled_from(PHRASES) | st.text(max_size=4), max_size=6).map("".join)


def repeated(documents: Sequence[Sequence[object]], least: int) -> list[list[bool]]:
    """Which symbols lie in a span of `least` that a document before has too."""
    first: dict[tuple[object, ...], int] = {}
    for number, symbols in enumerate(documents):
        for at in range(len(symbols) - least + 1):
            first.setdefault(tuple(symbols[at : at + least]), number)
    found = []
    for number, symbols in enumerate(documents):
        marks = [False] * len(symbols)
        for at in range(len(symbols) - least + 1):
            if first[tuple(symbols[at : at + least])] != number:
                marks[at : at + least] = [True] * least
        found.append(marks)
    return found


def runs(marks: list[bool]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff([0, *map(int, marks), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def without_bytes(text: str, marks: list[bool], filler: str) -> str:
    """Spans shortened to whole characters, and cut."""
    data, out, at = text.encode(), b"", 0
    for start, end in runs(marks):
        while start < end and data[start] & 0xC0 == 0x80:
            start += 1
        while end > start and end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        if start < end:
            out, at = out + data[at:start] + filler.encode(), end
    return (out + data[at:]).decode()


def split(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    column = pa.array([text], pa.large_string())
    data, (start, end, _) = buffers(column)[0].tobytes(), words(column)
    spans = list(zip(start.tolist(), end.tolist(), strict=True))
    return [data[a:b].decode() for a, b in spans], spans


def without_words(text: str, marks: list[bool], spans: list[tuple[int, int]]) -> str:
    """Words and the space behind them, cut."""
    data, out, at = text.encode(), b"", 0
    for first, last in runs(marks):
        out, at = out + data[at : spans[first][0]], spans[last][0] if last < len(spans) else len(data)
    return (out + data[at:]).decode()


@settings(deadline=None, max_examples=120)
@given(st.lists(TEXT, max_size=6), st.integers(16, 40), st.booleans(), st.data())
def test_bytes_left_are_those_of_the_twin(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], least: int, mask: bool, data: st.DataObject
) -> None:
    stage = SubstringDedup(min_bytes=least, least_words=0, action="mask" if mask else "remove", filler="[…]")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=2)))
    outcomes = run(stage, tmp_path_factory.mktemp("bytes"), texts, cuts)
    marks = repeated([text.encode() for text in texts], least)
    expected = [without_bytes(text, m, "[…]" if mask else "") for text, m in zip(texts, marks, strict=True)]
    assert [outcome.text for outcome in outcomes] == expected


@settings(deadline=None, max_examples=80)
@given(st.lists(TEXT, max_size=6), st.integers(4, 9), st.data())
def test_words_left_are_those_of_the_twin(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], least: int, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=2)))
    stage = SubstringDedup(min_words=least, least_words=0)
    outcomes = run(stage, tmp_path_factory.mktemp("words"), texts, cuts)
    cut = [split(text) for text in texts]
    # Invisible characters do not count in a word.
    symbols = [[word.replace("\u200d", "").replace("\xad", "") for word in found] for found, _ in cut]
    marks = repeated(symbols, least)
    expected = [without_words(t, m, spans) for t, m, (_, spans) in zip(texts, marks, cut, strict=True)]
    assert [outcome.text for outcome in outcomes] == expected


def test_any_memory_and_any_cut_into_parts_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    pool = [" ".join(chance.choice("abcdefghijklmnop") * chance.randrange(1, 6) for _ in range(60)) for _ in range(25)]
    texts = [" ".join(chance.sample(pool, chance.randrange(1, 4))) for _ in range(60)]
    whole = run(SubstringDedup(min_words=20), tmp_path / "one", texts)
    assert sum(not outcome.kept for outcome in whole) > 10
    monkeypatch.setattr(base, "SHARE", 16_000_000 / 3000)
    assert run(SubstringDedup(min_words=20, memory=16_000_000), tmp_path / "many", texts, cuts=[7, 8, 40]) == whole


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, max_size=7), st.integers(16, 40), st.integers(4, 9), st.data())
@pytest.mark.slow
def test_hot_fingerprints_are_found_by_hash_as_cold_ones_by_suffix_array(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], some_bytes: int, some_words: int, data: st.DataObject
) -> None:
    least_words = data.draw(st.integers(0, 8))
    folder = tmp_path_factory.mktemp("hot")
    for stage in (
        SubstringDedup(min_bytes=some_bytes, least_words=least_words),
        SubstringDedup(min_words=some_words, least_words=least_words),
    ):
        found = []
        for hot in (0, 2, 10**9):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(substring, "HOT", hot)
                found.append(run(stage, folder / f"{stage.least}-{hot}-{stage.min_bytes}", texts, [len(texts) // 2]))
        assert found[0] == found[1] == found[2]
        assert [outcome.detail for outcome in found[0]] == [outcome.detail for outcome in found[2]]


def test_what_others_lose_is_lost_nowhere(tmp_path: Path) -> None:
    """A document that is short after cutting stays if it is the one that keeps what others lose."""
    first = " ".join(f"a{i}" for i in range(60))
    second = " ".join(f"b{i}" for i in range(60))
    texts = [first, f"{first} {second}", f"{second} " + " ".join(f"c{i}" for i in range(150)), first]
    outcomes = run(SubstringDedup(min_words=20, least_words=100), tmp_path, texts)
    assert [outcome.kept for outcome in outcomes] == [True, True, True, False]
    assert outcomes[1].text == second and second not in outcomes[2].text


def test_a_page_copied_ten_thousand_times_takes_part_once(tmp_path: Path) -> None:
    page = " ".join(f"w{i}" for i in range(120))
    outcomes = run(SubstringDedup(), tmp_path, [page] * 10_000)
    assert [outcome.kept for outcome in outcomes] == [True] + [False] * 9_999
    assert {outcome.text for outcome in outcomes[1:]} == {""}


def test_counting_cuts_nothing_and_adds_the_share(tmp_path: Path) -> None:
    text = "0123456789" * 3
    outcomes = run(SubstringDedup(min_bytes=20, action="count"), tmp_path, [text, text + "abcdefghij", "other"])
    assert [outcome.text for outcome in outcomes] == [text, text + "abcdefghij", "other"]
    assert [outcome.columns["repeated_share"] for outcome in outcomes] == [0.0, 0.75, 0.0]
    assert all(outcome.kept for outcome in outcomes) and outcomes[1].of == 0


def test_options_that_contradict_are_refused() -> None:
    with pytest.raises(ValidationError, match="not both"):
        SubstringDedup(min_bytes=100, min_words=10)
    with pytest.raises(ValidationError, match="as they are"):
        SubstringDedup(min_bytes=100, fold_case=True)
    assert list(SubstringDedup().plan([])) == []
