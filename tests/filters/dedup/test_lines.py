"""Line and paragraph deduplication against a naive twin over Python strings, whatever the cut into parts."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from dedup_driver import run
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.dedup import base
from eyas.filters.dedup.lines import LineDedup

LINE = st.sampled_from(
    [
        "a long line of text",
        "A  LONG line of  text ",
        "another long line é",
        "short",
        "",
        "  ",
        "\u3000x y z w\u3000",
        "}",
    ]
)
TEXT = st.lists(LINE, max_size=6).map("\n".join)


def content(line: str, fold_case: bool) -> str:
    plain = " ".join(line.split())
    return plain.lower() if fold_case else plain


def units(text: str, unit: str) -> list[str]:
    """The text in pieces that join to it again: lines with their breaks, or paragraphs with the empty lines after."""
    lines = re.findall(r"[^\n]*\n|[^\n]+$", text)
    if unit == "line":
        return lines
    pieces: list[str] = []
    for number, line in enumerate(lines):
        ended = number > 0 and not lines[number - 1].strip()
        if pieces and (not line.strip() or not ended):
            pieces[-1] += line
        else:
            pieces.append(line)
    # Empty lines before the first paragraph are nobody's.
    return pieces


def twin(texts: list[str], stage: LineDedup) -> list[str]:
    owners: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        for piece in units(text, stage.unit):
            key = content(piece, stage.fold_case)
            if len(key) >= stage.min_characters and number not in owners.setdefault(key, []):
                owners[key].append(number)
    found = []
    for number, text in enumerate(texts):
        kept = []
        for piece in units(text, stage.unit):
            of = owners.get(content(piece, stage.fold_case), [])
            cut = len(of) >= stage.min_documents and (not stage.keep_first or of[0] != number)
            # What white space stands before a paragraph stays.
            before = piece[: len(piece) - len(piece.lstrip())].rpartition("\n")[0] if stage.unit == "paragraph" else ""
            kept.append((before + "\n" if before else "") if cut else piece)
        found.append("".join(kept))
    return found


@settings(deadline=None, max_examples=80)
@given(st.lists(TEXT, max_size=8), st.sampled_from(["line", "paragraph"]), st.booleans(), st.booleans(), st.data())
def test_what_is_left_is_what_the_twin_leaves(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], unit: str, case: bool, first: bool, data: st.DataObject
) -> None:
    options = {"min_characters": data.draw(st.integers(1, 12)), "min_documents": data.draw(st.integers(2, 3))}
    stage = LineDedup(unit=unit, fold_case=case, keep_first=first, least_words=0, **options)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=2)))
    outcomes = run(stage, tmp_path_factory.mktemp("lines"), texts, cuts)
    assert [outcome.text for outcome in outcomes] == twin(texts, stage)
    assert all(outcome.kept for outcome in outcomes)


def test_a_paragraph_takes_the_empty_line_that_ends_the_text(tmp_path: Path) -> None:
    stage = LineDedup(unit="paragraph", min_characters=5, least_words=0)
    outcomes = run(stage, tmp_path, ["a line of text", "a line of text\n\n  "], cuts=[])
    assert [outcome.text for outcome in outcomes] == ["a line of text", ""]


def test_documents_left_short_are_dropped_and_say_whose_copy_they_were(tmp_path: Path) -> None:
    notice = "Copyright by the authors of this page, all rights reserved"
    texts = [
        f"{notice}\nA story of its own, told at some length here.",
        f"{notice}\nOne two",
        f"{notice}\n" + "word " * 9,
    ]
    outcomes = run(LineDedup(), tmp_path, texts, cuts=[1])
    assert [outcome.kept for outcome in outcomes] == [True, False, True]
    assert (outcomes[1].reason, outcomes[1].score, outcomes[1].of) == ("short_after_cutting", 2.0, 0)
    assert outcomes[2].text == "word " * 9 and outcomes[2].of == 0
    size = len(notice) + 1
    assert outcomes[2].columns["repeated_share"] == size / (size + 45)


def test_what_others_lose_is_lost_nowhere(tmp_path: Path) -> None:
    """A document that is short after cutting stays if it is the one that keeps what others lose."""
    footer = "A footer that stands below every page of the site"
    texts = [f"{footer}\nand words of its own, many of them", f"unquestionably three-word lines\n{footer}"]
    texts += ["unquestionably three-word lines\nand then there is more, and more, and more of it", footer]
    outcomes = run(LineDedup(), tmp_path, texts)
    assert [outcome.kept for outcome in outcomes] == [True, True, True, False]
    assert "three-word" in outcomes[1].text and "three-word" not in outcomes[2].text


def test_many_buckets_decide_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    pool = [f"line number {i} of the pool of lines" for i in range(300)]
    texts = ["\n".join(chance.sample(pool, chance.randrange(1, 9))) for _ in range(200)]
    whole = run(LineDedup(), tmp_path / "one", texts)
    assert [outcome.text for outcome in whole] == twin(texts, LineDedup())
    monkeypatch.setattr(base, "SHARE", 16_000_000 / 700)
    assert run(LineDedup(memory=16_000_000), tmp_path / "many", texts, cuts=[50, 51, 150]) == whole


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert run(LineDedup(), tmp_path, []) == []
    assert list(LineDedup().plan([])) == []
