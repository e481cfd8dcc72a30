"""Rewriting through the command line: several workers, one purse; killed and resumed; what report and plan tell."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from fake_endpoint import FakeEndpoint, fake_endpoint
from harness import Ran, digests

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]
COUNT = 60


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents in three files, and so in three partitions."""
    made = tmp_path / "input"
    made.mkdir()
    for part in range(3):
        rows = [
            f"Falcon {i} of those in the county was seen to dive after prey of every kind. " * 20 for i in range(20)
        ]
        lines = [json.dumps({"text": f"{row}It is number {part * 20 + i}.", "url": "u"}) for i, row in enumerate(rows)]
        (made / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    return made


@pytest.fixture
def written(recipe: WriteRecipe, folder: Path, fake: FakeEndpoint) -> Callable[..., Path]:
    """A recipe that rewrites them all by the fake endpoint: `written("budget: {requests: 9}")`."""

    def write(options: str = "", name: str = "small") -> Path:
        stage = f" [rewrite: {{endpoint: '{fake.url}', model: m, timeout: 5, concurrency: 4, {options}}}]"
        text = recipe(
            name=name,
            stages=stage,
            products="",
            path=folder,
            extra="tolerance: 0.5\nallow_empty: true\nalarms: {floor: 0}",
        ).read_text()
        file = folder.parent / f"{name}.yaml"
        file.write_text(text.replace("partition_bytes: 200KB", "partition_bytes: 30KB"))
        return file

    return write


def decided(run: Path) -> pl.DataFrame:
    """The ledger rows of the stage."""
    return pl.read_parquet(run / "ledger/*.parquet").filter(pl.col("stage") == "rewrite")


def finish(process: subprocess.Popen[str]) -> str:
    """The output of a run that must succeed."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return out


@pytest.mark.slow
def test_several_workers_never_exceed_a_budget_by_one_and_the_run_ends_cleanly(
    written: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]],
    fake: FakeEndpoint,
    tmp_path: Path,
    eyas: Eyas,
) -> None:
    fake.latency = 0.02
    fake.behaviour = lambda number, text: "limited" if number % 6 == 5 else "good"
    recipe = written("budget: {requests: 25}, price: {input: 1, output: 2}")
    out = finish(start("run", recipe, "--workers", "2", "--runs", tmp_path / "runs"))
    assert len(fake.asked) == 25 and set(fake.answered.values()) == {1}
    assert "the budget of 25 requests is spent" in out and "budget_exhausted" in out
    rows = decided(tmp_path / "runs/small")
    assert rows.height == COUNT and rows["kept"].sum() == len(fake.answered) == 21
    assert rows.filter(pl.col("reason") == "budget_exhausted").height == COUNT - 21
    curated = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet")
    assert curated.height == COUNT + 21, "the originals stay"
    page = (tmp_path / "runs/small/report.html").read_text()
    assert "The budget of 25 requests is spent (requests)" in page
    assert "refusals because of too many requests (429)" in page and "tokens out a second" in page
    # A larger budget buys what is missing, and nothing twice.
    fake.behaviour = lambda number, text: "good"
    assert eyas("run", written(), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert len(fake.answered) == COUNT and set(fake.answered.values()) == {1}
    assert decided(tmp_path / "runs/small")["kept"].all()


@pytest.mark.slow
def test_killed_and_resumed_nothing_that_was_received_is_asked_for_again(
    written: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]],
    fake: FakeEndpoint,
    tmp_path: Path,
    eyas: Eyas,
) -> None:
    fake.latency = 0.1
    process = start("run", written(), "--workers", "0", "--runs", tmp_path / "runs")
    while len(fake.asked) < 30:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # until what was under way is answered, to nobody
    before = len(fake.asked)
    resumed = eyas("run", written(), "--workers", "0", "--runs", tmp_path / "runs")
    assert resumed.code == 0, resumed.err
    again = {text for text in fake.asked[:before] if text in fake.asked[before:]}
    assert len(again) <= 4, "only what was under way when it was killed"
    assert len(fake.asked) == COUNT + len(again)
    assert decided(tmp_path / "runs/small").height == COUNT
    # The dead process's requests stay on the books.
    page = (tmp_path / "runs/small/report.html").read_text()
    assert ("requests under way when their process died" in page) == bool(again)
    # The oracle: a run that nobody disturbed.
    assert eyas("run", written(name="calm"), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert digests(tmp_path / "runs/calm") == digests(tmp_path / "runs/small")


def test_a_changed_gate_judges_anew_without_asking_anew(
    written: Callable[..., Path], eyas: Eyas, fake: FakeEndpoint, tmp_path: Path
) -> None:
    assert eyas("run", written(), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    ran = eyas("run", written("gates: {novelty: [0.9, 1.0]}"), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and len(fake.asked) == COUNT and "0 answers bought, 60 known before" in ran.out
    rows = decided(tmp_path / "runs/small")
    assert (
        set(rows["reason"]) == {"copied"} and (rows["score"] < 0.9).all() and rows["detail"].str.contains("from ").all()
    )
    page = (tmp_path / "runs/small/report.html").read_text()
    assert "refused · copied" in page and "seen to dive" in page


def test_plan_tells_what_it_would_cost(
    written: Callable[..., Path], eyas: Eyas, fake: FakeEndpoint, tmp_path: Path
) -> None:
    recipe = written("price: {input: 2, output: 8}, budget: {requests: 10}")
    told = eyas("plan", recipe, "--runs", tmp_path / "runs")
    assert told.code == 0 and "guessed from the input's bytes" in told.out and "10 requests stops it" in told.out
    assert not fake.asked and not (tmp_path / "runs").exists(), "planning asks nobody and leaves nothing behind"
    assert eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "runs").code == 0
    counted = eyas("plan", recipe, "--runs", tmp_path / "runs")
    assert "about 60 requests" in counted.out and "From 60 documents, counted" in counted.out
    assert "by `price`" in counted.out


@pytest.mark.slow
def test_an_outage_is_outlasted_and_told(
    written: Callable[..., Path], eyas: Eyas, fake: FakeEndpoint, tmp_path: Path
) -> None:
    def behave(number: int, text: str) -> str:
        if number == 20:
            fake.down_until = time.monotonic() + 1.5
        return {3: "half", 5: "bad_json", 7: "broken"}.get(number, "good")

    fake.behaviour = behave
    ran = eyas("run", written(), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert len(fake.answered) == COUNT and set(fake.answered.values()) == {1}
    assert decided(tmp_path / "runs/small")["kept"].all()
    page = (tmp_path / "runs/small/report.html").read_text()
    for words in ("connections that broke off", "answers that were no chat completion", "errors of the server"):
        assert words in page


@pytest.mark.slow
def test_grades_teach_a_classifier(recipe: WriteRecipe, eyas: Eyas, fake: FakeEndpoint, tmp_path: Path) -> None:
    """FineWeb-Edu in small: a model grades half of the documents, fastText learns it and scores them all."""
    made = tmp_path / "graded"
    made.mkdir()
    texts = [
        f"{'The theory of the molecule explains how energy moves' if i % 2 else 'Click here to buy the cheap offer now'} {i} "
        * 6
        for i in range(240)
    ]
    (made / "a.jsonl").write_text("".join(json.dumps({"text": text, "url": "u"}) + "\n" for text in texts))
    fake.say = lambda text: json.dumps({"reason": "so", "score": 4 if "theory" in text else 0})
    stages = f"""
  - annotate: {{endpoint: '{fake.url}', model: m, share: 0.6}}
  - train_classifier:
      name: edu
      positives: {{where: "grade >= 3"}}
      negatives: {{where: "grade < 3"}}
      grade: grade
      held_out: 0.3
      fasttext: {{dim: 8, buckets: 1000, min_count: 1, epochs: 20}}
  - classify: {{model: edu}}
"""
    ran = eyas("run", recipe(stages=stages, products="", path=made), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    curated = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet")
    assert curated.height == 240 and 100 < curated["grade"].is_not_null().sum() == len(fake.asked) < 190
    told = json.loads(next((tmp_path / "runs/small/passes").rglob("classifier/edu/report.json")).read_text())
    agreement = told["agreement"]
    assert agreement["accuracy"] > 0.95 and agreement["kappa"] > 0.9 and agreement["spearman"] > 0.7
    assert "Agreement" in next((tmp_path / "runs/small/passes").rglob("classifier/edu/report.html")).read_text()
