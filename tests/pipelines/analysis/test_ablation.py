"""Slices of a run, and the comparison of two of them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eyas.pipelines.analysis.ablation import _judged, _shuffled, ablate, paired
from eyas.pipelines.analysis.slices import Slice
from eyas.pipelines.api import run
from eyas.trainer.options import TrainOptions

RECIPE = """
name: one
sources: [{name: s, files: {path: "%s", glob: ["*.txt"]}}]
stages: [{gopher_quality: {min_doc_words: 20}}]
tokenizer: {vocab_sizes: [320]}
"""
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "that",
    "with",
    "have",
    "be",
    "cats",
    "dogs",
    "sat",
    "mats",
    "river",
    "stone",
    "where",
    "under",
    "walking",
    "slowly",
    "because",
    "morning",
]
SMALL = {"d_model": 32, "d_ff": 48, "layers": 1, "head_dim": 16, "ssm_heads": 2, "ssm_head_dim": 16, "ssm_state": 8}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 120 sentences that stay and 60 rows of symbols that do not."""
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "text").mkdir()
    dice = random.Random(0)
    for number in range(120):
        words = " ".join(dice.choice(WORDS) for _ in range(60))
        (folder / "text" / f"good-{number:03d}.txt").write_text(f"The story of that day: {words}.\n")
    for number in range(60):
        (folder / "text" / f"noise-{number:03d}.txt").write_text(f"{number} #### @@ {number * 7919} ~~ ^^ " * 12)
    (folder / "recipe.yaml").write_text(RECIPE % (folder / "text"))
    run(str(folder / "recipe.yaml"), str(folder / "runs"), workers=0)
    return folder / "runs" / "one"


def texts(name: str) -> list[str]:
    return [text for table in Slice.parse(name).tables() for text in table.column("text").to_pylist()]


def test_slices_are_what_was_kept_read_and_dropped(finished: Path) -> None:
    kept, raw, dropped = texts(str(finished)), texts(f"{finished}:raw"), texts(f"{finished}:dropped:gopher_quality")
    assert (len(kept), len(raw), len(dropped)) == (120, 180, 60)
    assert sorted(kept + dropped) == sorted(raw)
    assert all("####" in text for text in dropped)
    assert texts(str(finished / "curated")) == kept


def test_what_is_no_slice_is_said(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no slice of a corpus: expected RUN"):
        Slice.parse(f"{finished}:fresh")
    with pytest.raises(ValueError, match=r"is no slice"):
        Slice.parse(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match=r"no stage 'gopher'.*gopher_quality"):
        texts(f"{finished}:dropped:gopher")
    pq.write_table(pa.table({"content": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="no column `text`; it has content"):
        texts(str(tmp_path / "a.parquet"))


def test_noise_makes_a_worse_model_of_language(finished: Path, tmp_path: Path) -> None:
    slices = [Slice.parse(str(finished)), Slice.parse(f"{finished}:dropped:gopher_quality")]
    options = TrainOptions(model=SMALL, steps=12, batch_size=2, learning_rate=1e-2, device="cpu", warmup_steps=2)
    tokenizer = str(finished / "tokenizer" / "tokenizer.json")

    def go(where: str) -> object:
        return ablate(slices, None, [tokenizer] * 2, options, 64, [0, 1, 2], tmp_path / where, 1, lambda *_: None)

    result = go("one")
    assert result.difference + result.interval < 0, result  # type: ignore[attr-defined]
    assert "beats" in result.verdict and result.budget == 12 * 2 * 64  # type: ignore[attr-defined]
    # Once more, it only reads what is there; elsewhere it comes to the same figures.
    assert go("one") == result == go("two")
    with pytest.raises(ValueError, match="holds another ablation"):
        ablate(slices[::-1], None, [tokenizer] * 2, options, 64, [0], tmp_path / "one", 1, lambda *_: None)


def test_what_is_judged_is_hidden_from_both_sides_though_a_mapper_changed_it(finished: Path) -> None:
    """By id, with what was made of it: raw text is not the curated text."""
    kept, raw = Slice.parse(str(finished)), Slice.parse(f"{finished}:raw")
    judged = _judged(kept, 0.2)
    assert 5 < len(judged) < 60
    changed = {number: text.upper() for number, text in judged.items()}
    for one in (kept, raw):
        left = _shuffled(one, changed, kept.run, 1 << 30)
        assert not set(left) & set(judged.values())
        assert len(left) == (120 if one is kept else 180) - len(judged)


def test_a_folder_of_another_ablation_or_of_changed_sources_is_refused(finished: Path, tmp_path: Path) -> None:
    """Even if the first was killed before it had packed anything."""
    options = TrainOptions(model=SMALL, steps=2, batch_size=2, device="cpu")
    tokenizer = str(finished / "tokenizer" / "tokenizer.json")
    slices = [Slice.parse(f"{finished}:dropped:gopher_quality"), Slice.parse(str(finished))]

    def told(what: str, _: object) -> None:
        raise KeyboardInterrupt(what)

    with pytest.raises(KeyboardInterrupt):
        ablate(slices, None, [tokenizer] * 2, options, 64, [0], tmp_path / "one", 1, told)
    with pytest.raises(ValueError, match="holds another ablation"):
        ablate(slices[::-1], None, [tokenizer] * 2, options, 64, [0], tmp_path / "one", 1, told)
    extra = Path((finished / "recipe.yaml").read_text().split('path: "')[1].split('"')[0]) / "aaa.txt"
    extra.write_text("One more file moves every id behind it.\n")
    try:
        with pytest.raises(ValueError, match="its sources are no longer those of the run"):
            texts(f"{finished}:raw")
    finally:
        extra.unlink()


def test_the_interval_is_students() -> None:
    mean, half = paired([1.0, 2.0, 4.0], [0.5, 1.0, 2.5])
    assert mean == pytest.approx(1.0)
    assert half == pytest.approx(4.303 * 0.5 / math.sqrt(3))
    assert paired([1.0], [2.0]) == (-1.0, math.inf)
