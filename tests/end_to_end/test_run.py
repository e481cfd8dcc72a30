"""A run through the command line: what it leaves, what it keeps, what it recomputes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from harness import STAGES, Ran, digests
from transformers import AutoTokenizer

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]


@pytest.fixture
def run(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> Path:
    """The folder of a finished run."""
    ran = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert "minhash_dedup" in ran.out and "computed" in ran.out
    return tmp_path / "runs" / "small"


def test_everything_is_where_people_look(run: Path) -> None:
    for name in (
        "recipe.yaml",
        "plan.json",
        "manifest.json",
        "report.html",
        "tokenizer/tokenizer.json",
        "shards/index.json",
    ):
        assert (run / name).is_file(), name
    curated = pl.read_parquet(run / "curated/*.parquet")
    assert {"id", "text", "source", "origin", "url", "lang", "cluster_size"} <= set(curated.columns)
    assert curated["id"].is_sorted() and curated["id"].is_unique().all()
    assert not list(run.rglob("*.tmp"))


def test_books_balance_and_the_ledger_agrees_with_the_curated_documents(run: Path) -> None:
    ledger = pl.read_parquet(run / "ledger/*.parquet")
    curated = pl.read_parquet(run / "curated/*.parquet")
    stages = ["read", "language", "gopher_quality", "exact_dedup", "minhash_dedup"]
    flow = ledger.filter(pl.col("stage") == "read").height
    for stage in stages:
        rows = ledger.filter(pl.col("stage") == stage)
        assert rows.height == flow and rows["id"].is_unique().all()
        flow = rows.filter(pl.col("kept")).height
    assert set(ledger.filter((pl.col("stage") == stages[-1]) & pl.col("kept"))["id"]) == set(curated["id"])
    for dropped in ("exact_duplicate", "near_duplicate", "language_unwanted"):
        assert ledger.filter(pl.col("reason") == dropped).height >= 1, dropped
    jaccard = ledger.filter(pl.col("reason") == "near_duplicate")
    assert (jaccard["score"] >= jaccard["threshold"]).all()


def test_tokenizer_loads_in_transformers_with_the_ids_of_the_shards(run: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(run / "tokenizer"))
    assert len(tokenizer) == 1000 and len(AutoTokenizer.from_pretrained(str(run / "tokenizer/600"))) == 600
    curated = pl.read_parquet(run / "curated/*.parquet")
    texts = dict(zip(curated["id"], curated["text"], strict=True))
    index = json.loads((run / "shards/index.json").read_text())
    pieces: dict[int, list[tuple[int, list[int]]]] = {}
    for file in index["files"]:
        for row in pl.read_ipc(run / "shards" / file["path"]).iter_rows(named=True):
            at = 0
            for length, document, offset in zip(row["lengths"], row["documents"], row["offsets"], strict=True):
                pieces.setdefault(document, []).append((offset, list(row["input_ids"][at : at + length])))
                at += length
            assert all(token == index["pad"] for token in row["input_ids"][at:])
    assert set(pieces) == set(texts)
    for document in list(texts)[:5]:
        ids = [token for _, piece in sorted(pieces[document]) for token in piece]
        assert ids[0] == 1 and ids[-1] == 11
        assert ids[1:-1] == tokenizer(texts[document], add_special_tokens=False)["input_ids"]


def test_a_second_run_computes_nothing(run: Path, eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet") if path.name != "cost.parquet"}

    before = times()
    ran = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and "0 passes computed" in ran.out
    assert times() == before


def test_a_changed_threshold_recomputes_what_depends_on_it_and_plan_says_so(
    run: Path, eyas: Eyas, recipe: WriteRecipe, tmp_path: Path
) -> None:
    before = digests(run)
    changed = recipe(stages=STAGES.replace("verify_jaccard: 0.7", "verify_jaccard: 0.99"))
    planned = eyas("plan", changed, "--runs", tmp_path / "runs", "--json")
    done = {entry["label"]: entry["done"] for entry in json.loads(planned.out)["passes"]}
    assert done == {
        "read → language → gopher_quality": True,
        "exact_dedup": True,
        "minhash_dedup": False,
        "curated documents": False,
        "ledger": False,
        "tokenizer": False,
        "shards": False,
    }
    ran = eyas("run", changed, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and "5 passes computed, 2 kept" in ran.out
    assert digests(run) != before
    # And back again: the bytes of the first run.
    assert eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert digests(run) == before


def test_a_lost_file_is_made_again(run: Path, eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    before = digests(run)
    sorted((run / "curated").iterdir())[0].unlink()
    ran = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and "1 passes computed" in ran.out
    assert digests(run) == before


def test_a_terminal_gets_bars(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    ran = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert "docs/s" in ran.out and "MB/s" in ran.out and "✓" in ran.out and "minhash_dedup" in ran.out
    again = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "runs")
    assert "kept from before" in again.out


def test_a_pipe_gets_whole_lines(
    eyas: Eyas, recipe: WriteRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.COLUMNS", "30")
    extra = "allow_empty: true\nalarms: {floor: 0}"
    file = recipe(stages="\n  - gopher_quality: {min_doc_words: 900}\n", products="", extra=extra)
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    (line,) = [line for line in ran.out.splitlines() if line.startswith("gopher_quality")]
    assert "gopher_short_doc" in line and "gopher_below_alpha_threshold" in line
    assert f"report  {tmp_path / 'runs/small/report.html'}" in ran.out


def test_explain_shows_one_history(run: Path, eyas: Eyas) -> None:
    ledger = pl.read_parquet(run / "ledger/*.parquet")
    copy = ledger.filter(pl.col("reason") == "near_duplicate")["id"][0]
    ran = eyas("explain", run, str(copy))
    assert ran.code == 0
    for word in ("gopher_quality", "near_duplicate", "0.7", "not among the curated documents"):
        assert word in ran.out
    (history,) = json.loads(eyas("explain", run, str(copy), "--json").out)
    assert history["id"] == copy and not history["curated"]
    assert history["decisions"][-1]["reason"] == "near_duplicate"
    by_origin = eyas("explain", run, "0.jsonl#1")
    assert by_origin.code == 0 and "curated" in by_origin.out
    missing = eyas("explain", run, "no/such/file")
    assert missing.code == 3 and "no document" in missing.err


def test_loader_hands_out_every_row_once_an_epoch(run: Path) -> None:
    from eyas.shards import ShardLoader

    loader = ShardLoader(str(run / "shards"), batch_size=1, seed=1)
    rows = np.concatenate([loader.rows_of(step) for step in range(loader.index.rows)])
    assert sorted(rows) == list(range(loader.index.rows))


def test_report_shows_hostile_text_as_text(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    evil = "<script>alert('eyas')</script><img src=x onerror=alert(1)> & \u202e\x00"
    lines = [
        {"text": evil + "short"},
        {"text": evil + " the quick brown fox and the lazy dog have been seen with that " * 60},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = eyas(
        "run",
        recipe(stages=" [gopher_quality]", products="", path=folder),
        "--workers",
        "0",
        "--runs",
        tmp_path / "runs",
    )
    assert ran.code == 0, ran.err
    page = (tmp_path / "runs/small/report.html").read_text()
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert "default-src 'none'" in page


def test_stages_schema_and_plan_speak(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    listed = eyas("stages")
    for name in ("language", "gopher_quality", "exact_dedup", "minhash_dedup", "rewrite"):
        assert name in listed.out
    assert "FineWeb" in eyas("stages", "minhash_dedup").out
    assert "Pairs [n," in eyas("stages", "gopher_repetition").out  # brackets are text, not markup
    schema = json.loads(eyas("schema").out)
    assert {"name", "sources", "stages", "tokenizer", "shards", "train"} <= set(schema["properties"])
    planned = eyas("plan", recipe(), "--runs", tmp_path / "runs")
    assert planned.code == 0 and "7 of 7 passes will be computed" in planned.out
    assert not (tmp_path / "runs").exists(), "planning must leave nothing behind"
