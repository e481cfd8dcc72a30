"""Deduplication against the index of an earlier run: as if both had been one run, and refused where it cannot be."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from dedup_driver import Outcome, run
from near_copies import edited, random_text

from eyas.filters.dedup import base, minhash
from eyas.filters.dedup.minhash import MinhashDedup

STAGE = {"keep": "first", "index": True}


@pytest.fixture
def days() -> tuple[list[str], list[str], list[str]]:
    """Three days of documents; the later ones have copies of earlier ones and of their own."""
    chance = random.Random(2)
    first = [random_text(chance, chance.randrange(20, 120)) for _ in range(40)]
    second = [edited(chance, chance.choice(first), 1) for _ in range(15)]
    second += [random_text(chance, 60) for _ in range(15)]
    second += [edited(chance, chance.choice(second), 1) for _ in range(10)]
    third = [edited(chance, chance.choice([*first, *second]), 1) for _ in range(20)]
    third += [random_text(chance, 60) for _ in range(5)]
    for day in (second, third):
        chance.shuffle(day)
    first_texts, second_texts, third_texts = ([" ".join(text) for text in day] for day in (first, second, third))
    return [*first_texts, "", "\n"], second_texts, [*third_texts, ""]


def index_of(folder: Path) -> str:
    return str(folder / "pass/index")


def one_after_another(days: tuple[list[str], ...], folder: Path, **options: object) -> list[Outcome]:
    found, indexes = [], []
    for number, day in enumerate(days):
        stage = MinhashDedup(**STAGE, against=indexes, **options)
        found += run(stage, folder / str(number), day, cuts=[len(day) // 2])
        indexes = [*indexes, index_of(folder / str(number))]
    return found


def test_day_after_day_keeps_what_one_run_keeps(days: tuple[list[str], ...], tmp_path: Path) -> None:
    together = run(MinhashDedup(keep="first"), tmp_path / "together", [text for day in days for text in day])
    apart = one_after_another(days, tmp_path / "apart")
    assert [outcome.kept for outcome in apart] == [outcome.kept for outcome in together]
    assert [outcome.score for outcome in apart] == [outcome.score for outcome in together]
    assert 10 < sum(not outcome.kept for outcome in apart[len(days[0]) :]) < len(apart)


def test_any_memory_and_clusters_in_files_decide_alike(
    days: tuple[list[str], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = one_after_another(days, tmp_path / "one")
    monkeypatch.setattr(base, "SHARE", 16_000_000 / 3_000)
    assert one_after_another(days, tmp_path / "many", memory=16_000_000) == expected
    monkeypatch.setattr(minhash, "LEAST_BYTES", 1e12)
    assert one_after_another(days, tmp_path / "stars", memory=16_000_000) == expected


def test_the_old_copy_stays_whatever_the_expression_says(tmp_path: Path) -> None:
    text = " ".join(random_text(random.Random(0), 40))
    run(MinhashDedup(index=True), tmp_path / "old", [text])
    new = MinhashDedup(keep="longest", against=[index_of(tmp_path / "old")])
    outcomes = run(new, tmp_path / "new", [f"{text} longer"])
    assert [outcome.kept for outcome in outcomes] == [False]
    assert outcomes[0].of is None and "near-duplicate of #0 in an earlier run" in (outcomes[0].detail or "")


def test_only_what_stayed_is_in_the_index(tmp_path: Path) -> None:
    text = " ".join(random_text(random.Random(0), 40))
    run(MinhashDedup(index=True), tmp_path, [text, text, "", "other words that stand alone here"], cuts=[1])
    content = json.loads((tmp_path / "pass/index/index.json").read_text())
    assert sum(rows for _, rows in content["parts"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": 20}, "bands: 14 there, 20 here"),
        ({"rows": 4, "bands": 14}, "rows: 8 there, 4 here"),
        ({"shingle_words": 3}, "shingle_words: 5 there, 3 here"),
        ({"fold_digits": True}, "fold_digits: False there, True here"),
        ({"fold_case": ["web"]}, "fold_case: True there, ['web'] here"),
        ({"target": {"jaccard": 0.9}}, "bands: 14 there"),
    ],
)
def test_other_parameters_are_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    run(MinhashDedup(index=True), tmp_path, ["some text of a few words"])
    with pytest.raises(ValueError, match="made with other parameters") as refused:
        MinhashDedup(against=[index_of(tmp_path)], **options).fingerprint()
    assert words in str(refused.value)
    # The threshold is of no consequence to the index.
    assert MinhashDedup(against=[index_of(tmp_path)], verify_jaccard=0.9).fingerprint()


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no index there"):
        MinhashDedup(against=[str(tmp_path)]).fingerprint()
    run(MinhashDedup(index=True), tmp_path, ["some text of a few words"])
    part = next((tmp_path / "pass/index/shingles").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{part.name}: missing, or not as long"):
        MinhashDedup(against=[index_of(tmp_path)]).fingerprint()


def test_another_index_is_another_result(tmp_path: Path) -> None:
    for name, text in (("a", "some text of a few words"), ("b", "another text of a few words")):
        run(MinhashDedup(index=True), tmp_path / name, [text])
    marks = [MinhashDedup(against=[index_of(tmp_path / name)]).fingerprint() for name in "ab"]
    assert marks[0] != marks[1]
    assert MinhashDedup().fingerprint() is None
