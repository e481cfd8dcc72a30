"""The audit: a sample of removals is judged again from the texts, and a wrong one stops the run."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from dedup_driver import run
from near_copies import edited, random_text

from eyas.errors import Alarm
from eyas.filters.dedup import audit, minhash
from eyas.filters.dedup.audit import excerpts
from eyas.filters.dedup.exact import ExactDedup
from eyas.filters.dedup.lines import LineDedup
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.filters.dedup.substring import SubstringDedup


@pytest.fixture
def texts() -> list[str]:
    """Copies, near-copies, and lines that several documents share."""
    chance = random.Random(4)
    found = []
    for _ in range(60):
        text = random_text(chance, 80)
        found += [" ".join(text), " ".join(edited(chance, text, 1)), " ".join(text), " ".join(text[:40])]
    return [f"{text}\nÉverything on this page is free\n\n{number}" for number, text in enumerate(found)]


@pytest.mark.parametrize(
    "stage",
    [
        ExactDedup(),
        ExactDedup(ignore_case=True, ignore_whitespace=True),
        ExactDedup(by="key"),
        MinhashDedup(skip_punctuation=True, fold_digits=True),
        LineDedup(),
        LineDedup(unit="paragraph", fold_digits=True, keep_first=False),
        SubstringDedup(min_words=12),
        SubstringDedup(min_bytes=50),
    ],
    ids=lambda stage: f"{type(stage).__name__}-{len(stage.model_fields_set)}",
)
def test_every_run_judges_a_sample_again(tmp_path: Path, texts: list[str], stage: minhash.MinhashDedup) -> None:
    keys = {"key": [str(number % 40) for number in range(len(texts))]}
    for name, cuts in (("one", []), ("three", [50, 140])):
        run(stage, tmp_path / name, [*texts, *texts[:5]], cuts, carry={"key": [*keys["key"], *keys["key"][:5]]})
        pairs = pl.read_parquet(tmp_path / name / "pass/audit/pairs.parquet")
        assert 0 < pairs.height <= audit.SAMPLED
        assert pairs["right"].all()


def test_a_wrong_removal_stops_the_run_and_is_named(
    tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: object) -> object:
        """Verification that takes every candidate for a copy."""
        return original(*arguments[:6], 0.0, *arguments[7:])

    original = minhash.verify
    monkeypatch.setattr(minhash, "verify", wrong)
    strict = MinhashDedup(bands=200, rows=1, verify_jaccard=0.99)
    run(strict, tmp_path, texts)
    right = pl.read_parquet(tmp_path / "pass/audit/pairs.parquet")["right"]
    assert not right.all()
    with pytest.raises(Alarm, match="removals that were judged again were wrong"):
        strict.check({}, {"audit": {"sampled": len(right), "right": int(right.sum())}})


def test_long_texts_are_passed_over_and_others_take_their_place(
    tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SAMPLED", 5)
    monkeypatch.setattr(audit, "OFFERED", 100)
    monkeypatch.setattr(audit, "MOST_BYTES", 400)
    run(ExactDedup(by="key"), tmp_path, [*texts, *texts], carry={"key": [str(i % 240) for i in range(2 * len(texts))]})
    pairs = pl.read_parquet(tmp_path / "pass/audit/pairs.parquet")
    assert pairs.height == 5 and pairs["right"].all()
    assert pairs["dropped_text"].str.len_chars().max() <= 400 < max(map(len, texts))


def test_excerpts_show_where_texts_differ_or_what_was_cut() -> None:
    left, right = "a" * 5000 + "LEFT" + "z" * 5000, "a" * 5000 + "RIGHT" + "z" * 5000
    shown = excerpts(left, right)
    assert "LEFT" in shown[0] and "RIGHT" in shown[1]
    assert excerpts("short", "short text") == ("short", "short text")
    piece = "é shared span"
    left, right = "x" * 3000 + piece + "y" * 3000, "q" * 9000 + piece + "r" * 500
    start = len(("q" * 9000).encode())
    assert all(piece in text for text in excerpts(left, right, (start, start + len(piece.encode()))))


def test_without_removals_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    run(MinhashDedup(), tmp_path, ["one text", "and another"])
    assert pl.read_parquet(tmp_path / "pass/audit/pairs.parquet").height == 0
