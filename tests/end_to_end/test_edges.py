"""Odd but legal recipes: no stages, nothing survives, a stage twice, generators in a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
from harness import PRODUCTS, Ran

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]

ECHO = '''
import pyarrow as pa
from corpus import Generator
from corpus.documents import PARENT

STAGES = {"echo": "echo_stage:Echo"}

class Echo(Generator):
    """Says every document again, backwards; fails on those that hold `fail`."""
    fail: str = "no such text"
    def generate(self, docs, seed):
        texts = docs.column("text").to_pylist()
        bad = [self.fail in text for text in texts]
        return pa.table({
            "text": pa.array([None if b else t[::-1] for t, b in zip(texts, bad)], pa.large_string()),
            PARENT.name: pa.array([[i] for i in docs.column("id").to_pylist()], PARENT.type),
            "error": pa.array(["failed" if b else None for b in bad], pa.string()),
        })
'''


def curated(tmp_path: Path) -> pl.DataFrame:
    """The curated documents of the run."""
    return pl.read_parquet(tmp_path / "runs/small/curated/*.parquet")


def test_a_recipe_without_stages_copies(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    ran = eyas("run", recipe(stages=" []", products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert curated(tmp_path).height == 63


def test_when_nothing_survives_the_run_says_so(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    stages = "\n  - gopher_quality: {min_doc_words: 90000}\n  - exact_dedup\n  - minhash_dedup"
    ran = eyas("run", recipe(stages=stages, products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert curated(tmp_path).height == 0
    ran = eyas("run", recipe(stages=stages, products=PRODUCTS), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 1 and "no curated document is left" in ran.err


def test_a_stage_may_be_used_twice(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    lax = "max_non_alpha_words_ratio: 0.4"
    stages = f"\n  - gopher_quality: {{{lax}, min_doc_words: 30}}\n  - exact_dedup"
    stages += f"\n  - gopher_quality: {{{lax}, min_doc_words: 1000}}\n  - exact_dedup"
    ran = eyas("run", recipe(stages=stages, products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    ledger = pl.read_parquet(tmp_path / "runs/small/ledger/*.parquet")
    assert {"gopher_quality", "gopher_quality#2", "exact_dedup#2"} <= set(ledger["stage"])


def test_generators_in_a_row_and_deduplication_of_what_they_make(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    (tmp_path / "echo_stage.py").write_text(ECHO)
    stages = "\n  - exact_dedup\n  - echo\n  - echo: {max_documents: 30}\n  - exact_dedup"
    file = recipe(stages=stages, products="", extra="plugins: [echo_stage]")
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    ledger = pl.read_parquet(tmp_path / "runs/small/ledger/*.parquet")
    assert ledger.filter(pl.col("stage") == "echo").height == 62
    again = ledger.filter(pl.col("stage") == "echo#2")
    assert again.height == 30
    # Backwards twice is forwards: of the thirty, all say what an original or a first echo says already.
    assert ledger.filter((pl.col("stage") == "exact_dedup#2") & ~pl.col("kept")).height == 30
    left = curated(tmp_path)
    assert left.height == 124 and left["id"].is_unique().all() and left["text"].is_unique().all()
    made = left.filter(pl.col("source") == "echo")
    assert made.height == 62 and made["parent"].list.len().to_list() == [1] * 62


def test_a_failed_generation_is_quarantined_and_the_original_stays(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    (tmp_path / "echo_stage.py").write_text(ECHO)
    file = recipe(stages="\n  - echo: {fail: 'Vögel'}", products="", extra="plugins: [echo_stage]\ntolerance: 0.05")
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    rows = pl.read_parquet(tmp_path / "runs/small/ledger/*.parquet").filter(pl.col("stage") == "echo")
    assert rows.height == 63 and rows["kept"].null_count() == 1
    assert curated(tmp_path).height == 63 + 62
