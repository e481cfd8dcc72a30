"""The shipped recipe for a mixed corpus on real data: web in ten languages, code and mathematics (a corpus outside the
repository, named by EYAS_CORPUS; without it, these tests are skipped)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from harness import Ran

CORPUS = Path(os.environ.get("EYAS_CORPUS", "/tmp/w/corpus")) / "docs"
RECIPE = Path(__file__).parents[2] / "pipelines/recipes/mixed.yaml"
Eyas = Callable[..., Ran]

pytestmark = pytest.mark.skipif(
    not list(CORPUS.glob("math-*.jsonl.gz")), reason=f"no corpus at {CORPUS} (name its folder by EYAS_CORPUS)"
)


def alone(text: str, source: str) -> str:
    """The recipe with one source, whose stages stand there without a route."""
    sources = re.split(r"(?m)^  - name: ", text.partition("sources:\n")[2].partition("\nstages:")[0])[1:]
    entry = next("  - name: " + one for one in sources if one.startswith(f"{source}\n"))
    routes = text.partition("stages:\n")[2].split("  - route:\n")[1:]
    stages = next(route for route in routes if f"only: {{source: {source}}}" in route).partition("stages:\n")[2]
    head = text.partition("sources:\n")[0].replace("name: mixed", f"name: {source}")
    return f"{head}sources:\n{entry}stages:\n{stages}"


def documents(runs: Path, name: str, source: str) -> pl.DataFrame:
    """What is kept of a source, without ids, which depend on the other sources, and in their order."""
    docs = pl.read_parquet(runs / f"{name}/curated/*.parquet").filter(pl.col("source") == source).sort("id")
    return docs.select("text", "origin", "source_id", "license", "url" if source == "web" else "source_source")


def test_each_source_keeps_what_its_own_rules_keep_alone(eyas: Eyas, tmp_path: Path) -> None:
    text = RECIPE.read_text()
    options = ("--var", f"corpus={CORPUS}", "--workers", "0", "--runs", tmp_path / "runs")
    ran = eyas("run", RECIPE, *options)
    assert ran.code == 0 and "10 languages above the floors" in ran.out, ran.err
    for source in ("web", "code", "maths"):
        (tmp_path / f"{source}.yaml").write_text(alone(text, source))
        ran = eyas("run", tmp_path / f"{source}.yaml", *options)
        assert ran.code == 0, ran.err
        mine = documents(tmp_path / "runs", source, source)
        assert mine.height > 100 and mine.equals(documents(tmp_path / "runs", "mixed", source))
    web = pl.read_parquet(tmp_path / "runs/mixed/curated/*.parquet").filter(pl.col("source") == "web")
    assert web["lang"].n_unique() == 10


@pytest.mark.parametrize("left_out", ["code", "maths"])
def test_the_alarm_rings_when_a_route_is_left_out(eyas: Eyas, tmp_path: Path, left_out: str) -> None:
    """The rules for web pages ask about a source that should have gone its own way."""
    text = RECIPE.read_text().replace("only: {source: web}", f"only: {{source: [web, {left_out}]}}")
    (tmp_path / "m.yaml").write_text(text)
    ran = eyas("run", tmp_path / "m.yaml", "--var", f"corpus={CORPUS}", "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 6 and f"source '{left_out}'" in ran.err and "the floor is 5.0%" in ran.err, ran.out[-2000:]
    assert not (tmp_path / "runs/mixed/curated").exists()
