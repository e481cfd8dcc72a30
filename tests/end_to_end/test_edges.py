"""Odd but legal recipes: no stages, nothing survives, a stage twice, generators in a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import PRODUCTS, Ran

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]

ECHO = '''
import pyarrow as pa
from eyas.corpus import Generator
from eyas.corpus.documents import PARENT

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
    options = ("--workers", "0", "--runs", tmp_path / "runs")
    assert eyas("run", recipe(stages=stages, products=""), *options).code == 6
    empty = {"stages": stages, "extra": "allow_empty: true\nalarms: {floor: 0}"}
    ran = eyas("run", recipe(products="", **empty), *options)
    assert ran.code == 0, ran.err
    assert curated(tmp_path).height == 0
    ran = eyas("run", recipe(products=PRODUCTS, **empty), *options)
    assert ran.code == 3 and "no curated document is left" in ran.err


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
    file = recipe(stages=stages, products="", extra="plugins: [echo_stage]\nalarms: {floor: 0}")
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


MAPPERS = '''
import pyarrow as pa
from typing import ClassVar
from eyas.corpus import Generator, Mapper

STAGES = {"length": "mapper_stage:Length", "nulls": "mapper_stage:Nulls", "raises": "mapper_stage:Raises"}

class Length(Mapper):
    """Adds the length."""
    adds: ClassVar = {"length": pa.int64()}
    def map(self, docs):
        return docs.append_column("length", pa.array([len(t) for t in docs.column("text").to_pylist()], pa.int64()))

class Nulls(Mapper):
    """Loses texts, and gives the wrong type."""
    word: str
    def map(self, docs):
        texts = [None if self.word in t else t.upper() for t in docs.column("text").to_pylist()]
        return docs.set_column(1, "text", pa.array(texts, pa.string()))

class Raises(Generator):
    """Raises on some documents."""
    word: str
    def generate(self, docs, seed):
        texts = docs.column("text").to_pylist()
        if any(self.word in t for t in texts):
            raise ValueError("not that one")
        return pa.table({"text": pa.array([t[:50] for t in texts]), "parent": [[i] for i in docs.column("id").to_pylist()],
                         "error": pa.nulls(len(texts), pa.string())})
'''


def test_a_mapper_may_add_a_column_before_or_after_a_corpus_stage(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    (tmp_path / "mapper_stage.py").write_text(MAPPERS)
    for stages in ("[length, exact_dedup]", "[exact_dedup, length]"):
        file = recipe(stages=f" {stages}", products="", extra="plugins: [mapper_stage]")
        ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
        assert ran.code == 0, ran.err
        found = curated(tmp_path)
        assert found["length"].to_list() == [len(text) for text in found["text"]]


def test_texts_a_mapper_loses_are_quarantined(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    (tmp_path / "mapper_stage.py").write_text(MAPPERS)
    file = recipe(stages=" [nulls: {word: Vögel}]", products="", extra="plugins: [mapper_stage]\ntolerance: 0.05")
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    found = curated(tmp_path)
    assert found.height == 62 and found["text"].null_count() == 0


def test_a_generator_that_raises_costs_those_documents_and_one_that_only_fails_stops_the_run(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    (tmp_path / "mapper_stage.py").write_text(MAPPERS)
    file = recipe(stages=" [raises: {word: Vögel}]", products="", extra="plugins: [mapper_stage]\ntolerance: 0.05")
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    rows = pl.read_parquet(tmp_path / "runs/small/ledger/*.parquet").filter(pl.col("kept").is_null())
    assert rows.height == 1 and "not that one" in rows["detail"][0] and curated(tmp_path).height == 63 + 62
    (tmp_path / "echo_stage.py").write_text(ECHO)
    all_fail = recipe(
        stages="\n  - echo: {fail: e, max_documents: 2}", products="", extra="plugins: [echo_stage]\ntolerance: 0.5"
    )
    ran = eyas("run", all_fail, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 6 and "'echo' failed on each of its 2 documents" in ran.err


def test_folders_that_no_run_made_are_left_alone(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    mine = tmp_path / "runs/small/curated/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    ran = eyas("run", recipe(products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 8 and "no run made it" in ran.err and mine.read_text() == "mine"
    outside = recipe(name="..")
    assert "name" in eyas("plan", outside).err


def test_another_class_under_the_same_name_is_another_stage(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    for name, answer in (("first_plugin", "False"), ("second_plugin", "True")):
        (tmp_path / f"{name}.py").write_text(
            f"from eyas.corpus import Filter, Verdict\nSTAGES = {{'mine': '{name}:Mine'}}\n"
            f"class Mine(Filter):\n    def judge(self, docs):\n        return Verdict.of([{answer}] * docs.num_rows)\n"
        )
        file = recipe(
            stages=" [mine]", products="", extra=f"plugins: [{name}]\nallow_empty: true\nalarms: {{floor: 0}}"
        )
        ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
        assert ran.code == 0 and "0 kept from before" in ran.out, ran.err
    assert curated(tmp_path).height == 63


@pytest.mark.parametrize("groups", [0, 1])
def test_an_empty_parquet_file_is_an_empty_source(eyas: Eyas, tmp_path: Path, groups: int) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    empty = pa.table({"text": pa.array([], pa.string())})
    with pq.ParquetWriter(folder / "a.parquet", empty.schema) as writer:
        for _ in range(groups):
            writer.write_table(empty)
    file = tmp_path / "r.yaml"
    file.write_text(
        f"name: small\nsources: [{{name: s, parquet: {{path: {folder}}}}}]\nstages: [gopher_quality, exact_dedup]\n"
    )
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err


def test_explain_finds_what_could_not_be_read_and_what_was_generated(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "a good line"}\n{broken\n\n')
    (tmp_path / "echo_stage.py").write_text(ECHO)
    file = recipe(stages=" [echo]", products="", path=folder, extra="plugins: [echo_stage]\ntolerance: 1.0")
    assert eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs").code == 0
    run = tmp_path / "runs/small"
    assert "broken_json" in eyas("explain", run, "a.jsonl#2").out
    assert "a blank line" in eyas("explain", run, "a.jsonl#3").out
    made = eyas("explain", run, "echo:" + str(folder / "a.jsonl#1")).out
    assert "made of" in made and "echo" in made
    # The report can be written again, though the recipe has a plugin next to it.
    assert eyas("report", run).code == 0


def test_control_characters_in_scraped_text_do_not_reach_the_terminal(run_hostile: Ran) -> None:
    assert run_hostile.code == 3
    assert "\x1b" not in run_hostile.err and "\x07" not in run_hostile.err and "pwned" in run_hostile.err


@pytest.fixture
def run_hostile(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> Ran:
    """A run that fails on a record whose key holds terminal escapes."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"\\u001b]0;pwned\\u0007": 1}\n')
    return eyas("run", recipe(stages=" []", products="", path=folder), "--workers", "0", "--runs", tmp_path / "runs")
