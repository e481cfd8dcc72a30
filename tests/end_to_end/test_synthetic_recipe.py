"""The recipe `synthetic.yaml`, shortened: rewritten by the embedded model, judged, deduplicated, packed; twice the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from harness import digests

RECIPE = Path(__file__).parents[2] / "pipelines/recipes/synthetic.yaml"


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Eight documents instead of 200."""
    text = RECIPE.read_text()
    for old, new in (
        ("max_bytes: 24MB", "max_bytes: 4MB"),
        ("partition_bytes: 4MB", "partition_bytes: 1MB"),
        ("max_documents: 200", "max_documents: 8"),
        ("requests: 250", "requests: 7"),
        ("vocab_sizes: [4096]", "vocab_sizes: [1024]"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "short.yaml").write_text(text)
    return tmp_path / "short.yaml"


@pytest.mark.slow
def test_the_same_run_twice_gives_the_same_text(
    short: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    # A budget of seven for eight documents: one worker buys them in the order of their ids, so the cap, too, repeats.
    for name in ("a", "b"):
        process = start("run", short, "--workers", "1", "--runs", tmp_path / name)
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0, out
        assert "7 answers bought, 0 known before; in all 7 requests" in out
    run = tmp_path / "a/synthetic"
    assert digests(run) == digests(tmp_path / "b/synthetic")
    ledger = pl.read_parquet(run / "ledger/*.parquet").filter(pl.col("stage") == "rewrite")
    assert ledger.height == 8 and ledger.filter(pl.col("reason") == "budget_exhausted").height == 1
    curated = pl.read_parquet(run / "curated/*.parquet")
    made = curated.filter(pl.col("source") == "rewrite")
    assert made.height <= ledger["kept"].sum()
    known = set(pl.read_parquet(run / "ledger/*.parquet").filter(pl.col("stage") == "read")["id"])
    assert all(parent in known for parents in made["parent"] for parent in parents)
    assert json.loads((run / "shards/index.json").read_text())["files"]
    page = (run / "report.html").read_text()
    assert "tokens out a second" in page and "what became of the documents" in page and 'id="rewrites"' in page
