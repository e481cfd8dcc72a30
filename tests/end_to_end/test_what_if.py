"""`eyas what-if`: the funnel counted from scores is the funnel of a real run with those thresholds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Ran

LAX = "allow_empty: true\nalarms: {floor: 0}"
"""These recipes drop nearly all there is, to see it counted."""

GOPHER = "gopher_quality: {{min_doc_words: {words}, max_non_alpha_words_ratio: {alpha}}}"
HEURISTICS = f"""
  - language: {{{{keep: [en], min_score: {{score}}}}}}
  - {GOPHER}
  - gopher_repetition: {{{{dup_line_frac: 0.2}}}}
  - fineweb_quality: {{{{line_punct_thr: {{punct}}}}}}
  - where: {{{{keep: "words > 40"}}}}
"""
BASE = {"words": 900, "alpha": 0.45, "score": 0.3, "punct": 0.05}


def stages(**changes: float | None) -> str:
    values = {name: "null" if value is None else value for name, value in {**BASE, **changes}.items()}
    return HEURISTICS.format(**values)


def run(eyas: Callable[..., Ran], path: Path, runs: Path) -> dict[str, Any]:
    """The books of each stage over all passes, summed over sources."""
    ran = eyas("run", path, "--runs", runs, "--workers", "0")
    assert ran.code == 0, ran.err
    manifest = json.loads((runs / path.stem / "manifest.json").read_text())
    stages = {}
    for entry in manifest["passes"]:
        for label, by_source in entry["books"].items():
            books = next(iter(by_source.values()))
            stages[label] = (books["documents"], books["kept"], books["reasons"])
    return stages


def what_if(eyas: Callable[..., Ran], path: Path, runs: Path, *changes: str) -> list[dict[str, Any]]:
    ran = eyas("what-if", runs / path.stem, *changes, "--json")
    assert ran.code == 0, ran.err
    counted: list[dict[str, Any]] = json.loads(ran.out)
    return counted


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({"words": 2000}, ["gopher_quality.min_doc_words=2000"]),
        ({"words": 100}, ["gopher_quality.min_doc_words=100"]),
        (
            {"words": 300, "alpha": 0.3, "score": 0.6, "punct": 0.2},
            [
                "gopher_quality.min_doc_words=300",
                "gopher_quality.max_non_alpha_words_ratio=0.3",
                "language.min_score=0.6",
                "fineweb_quality.line_punct_thr=0.2",
            ],
        ),
        ({"punct": None}, ["fineweb_quality.line_punct_thr=null"]),
    ],
)
def test_the_count_is_that_of_a_run(
    eyas: Callable[..., Ran],
    recipe: Callable[..., Path],
    tmp_path: Path,
    changes: dict[str, float | None],
    moved: list[str],
) -> None:
    path = recipe(stages=stages(), products="", extra=LAX)
    before = run(eyas, path, tmp_path / "runs")
    (counted,) = what_if(eyas, path, tmp_path / "runs", *moved)
    after = run(
        eyas,
        recipe(name="other", stages=stages(**changes), products="", extra=LAX),
        tmp_path / "runs",
    )
    assert len(counted["stages"]) == 5
    for stage in counted["stages"]:
        assert (stage["entered"], stage["kept"], stage["reasons"]) == before[stage["label"]]
        assert (stage["entered_then"], stage["kept_then"], stage["reasons_then"]) == after[stage["label"]]
    assert counted["unknown"] == 0
    assert before["fineweb_quality"] != after["fineweb_quality"]


def test_what_cannot_be_known_is_said(eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path) -> None:
    chain = stages() + "  - mask_pii\n  - where: {keep: 'words > 1500', reason: short}\n  - exact_dedup\n"
    path = recipe(stages=chain, products="", extra=LAX)
    books = run(eyas, path, tmp_path / "runs")
    tighter, looser = what_if(eyas, path, tmp_path / "runs", "gopher_quality.min_doc_words=1200,100")
    assert tighter["unknown"] == 0 and looser["unknown"] > 0
    assert [stage["label"] for stage in tighter["stages"] if not stage["exact"]] == ["exact_dedup"]
    assert looser["stages"][-1]["kept_then"] == looser["stages"][-1]["kept"] == books["exact_dedup"][1]
    ran = eyas("what-if", tmp_path / "runs/small", "gopher_quality.min_doc_words=1200,100,null")
    assert ran.code == 0 and "min_doc_words=null" in ran.out and "only a run decides" not in ran.out
    ran = eyas("what-if", tmp_path / "runs/small", "gopher_quality.min_doc_words=100")
    assert "never scored them" in ran.out and "gopher_short_doc" in ran.out and "old decisions" in ran.out


def test_sources_may_have_changed_moved_or_gone(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(corpus, tmp_path / "in"))
    path = recipe(stages=stages(), products="", extra=LAX, path=copied)
    run(eyas, path, tmp_path / "runs")
    change = "gopher_quality.min_doc_words=100"
    before = what_if(eyas, path, tmp_path / "runs", change)
    shutil.rmtree(copied)
    path.unlink()
    moved = (tmp_path / "runs/small").rename(tmp_path / "elsewhere")
    after = json.loads(eyas("what-if", moved, change, "--json").out)
    assert after == before
    assert eyas("report", moved).code == 0


def test_errors_in_words(eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path) -> None:
    path = recipe(stages=stages(punct=None), products="", extra=LAX)
    runs = tmp_path / "runs"
    ran = eyas("what-if", runs / "small", "where.x=1")
    assert ran.code == 3 and "not the folder of a run" in ran.err
    ran = eyas("what-if", path, "where.x=1")
    assert ran.code == 2 and "takes the folder of a finished run" in ran.err
    ran = eyas("plan", path, "--what-if", "where.x=1")
    assert ran.code == 2 and "use `eyas what-if RUN STAGE.OPTION=VALUE`" in ran.err
    run(eyas, path, runs)
    for change, message in (
        ("gopher_quality.min_doc_word=80", "did you mean 'gopher_quality.min_doc_words'"),
        ("fineweb_quality.line_punct_thr=0.1", "turn it on and run again"),
        ("gopher_quality", "expected STAGE.OPTION=VALUE"),
        ("gopher_quality.min_doc_words=many", "'many' is not a number"),
    ):
        ran = eyas("what-if", runs / "small", change)
        assert ran.code == 3 and message in ran.err, ran.err
    plan = runs / "small/plan.json"
    plan.write_text(plan.read_text().replace("gopher_quality", "gopher"))
    assert "damaged or edited" in eyas("what-if", runs / "small", "where.x=1").err
