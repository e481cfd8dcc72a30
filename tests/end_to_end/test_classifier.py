"""A classifier from training to decision through the command line: same bytes, no training twice, clear errors."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from harness import Ran

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]

WORDS = {
    "wiki": ["river", "empire", "species", "century", "theory", "population", "treaty", "molecule", "dynasty", "orbit"],
    "forum": ["click", "buy", "subscribe", "cheap", "offer", "login", "cookie", "unsubscribe", "lol", "winner"],
}
STAGES = """
  - language: {{}}
  - train_classifier:
      name: prose
      positives: {{where: "url like '%wiki%' and lang is not null"}}
      negatives: {{where: "url like '%forum%'"}}
      fasttext: {{dim: 8, buckets: 1000, min_count: 1, epochs: 20}}
      held_out: 0.2
  - classify: {{model: {model}}}
  - threshold: {{column: prose_score, min: {least}}}
"""
PRODUCTS = ""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """240 documents of two kinds in three files."""
    folder = tmp_path / "texts"
    folder.mkdir()
    chance = random.Random(5)
    records = []
    for i in range(240):
        kind = ("wiki", "forum")[i % 2]
        words = chance.choices(WORDS[kind] * 3 + ["the", "of", "and", "a"] * 5, k=60)
        records.append({"text": f"{' '.join(words)} {i}.", "url": f"https://{kind}.org/{i}"})
    for number in range(3):
        lines = [json.dumps(record) for record in records[80 * number : 80 * number + 80]]
        (folder / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def written(recipe: WriteRecipe, texts: Path) -> Callable[..., Path]:
    """Writes the recipe with another threshold or model."""

    def write(least: float = 0.5, model: str = "prose", stages: str = STAGES, name: str = "scored") -> Path:
        path = recipe(name=name, stages=stages.format(least=least, model=model), products=PRODUCTS, path=texts)
        text = path.read_text().replace("partition_bytes: 200KB", "partition_bytes: 10KB")
        path.write_text(text)
        return path

    return write


def classifier(run: Path) -> Path:
    """The folder of the only classifier of a run."""
    (found,) = run.glob("passes/*/classifier/prose")
    return found


def sha256(folder: Path) -> dict[str, str]:
    """Digests of the files of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_from_training_to_decision_with_the_same_bytes_twice(
    eyas: Eyas, written: Callable[..., Path], tmp_path: Path
) -> None:
    runs = []
    for runs_folder, workers in (("one", "0"), ("two", "2")):
        ran = eyas("run", written(), "--workers", workers, "--runs", tmp_path / runs_folder)
        assert ran.code == 0, ran.err
        runs.append(tmp_path / runs_folder / "scored")
    found = sha256(classifier(runs[0]))
    assert list(found) == ["classifier.json", "model.bin", "report.html", "report.json"]
    assert sha256(classifier(runs[1])) == found
    assert sha256(runs[0] / "curated") == sha256(runs[1] / "curated")

    curated = pl.read_parquet(runs[0] / "curated/*.parquet")
    assert curated.schema["prose_score"] == pl.Float32 and curated["prose_score"].min() >= 0.5
    ledger = pl.read_parquet(runs[0] / "ledger/*.parquet")
    stages = [ledger.filter(pl.col("stage") == name) for name in ("train_classifier", "classify", "threshold")]
    assert [rows.height for rows in stages] == [240] * 3
    assert stages[0]["kept"].all() and stages[1]["kept"].all()
    dropped = stages[2].filter(~pl.col("kept"))
    assert set(dropped["reason"]) == {"below_prose_score"} and (dropped["score"] < dropped["threshold"]).all()
    assert stages[2]["score"].null_count() == 0 and dropped.height + curated.height == 240
    share = curated.filter(pl.col("url").str.contains("wiki")).height / curated.height
    assert share > 0.95
    passes = json.loads((runs[0] / "manifest.json").read_text())["passes"]
    summary = next(p["summary"] for p in passes if p["label"] == "train_classifier")
    assert summary["train"]["roc_auc"] > 0.95 and summary["lots"]["positives"] == 120


def test_moving_the_threshold_trains_nothing_again(eyas: Eyas, written: Callable[..., Path], tmp_path: Path) -> None:
    ran = eyas("run", written(), "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    folder = classifier(tmp_path / "scored")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    ran = eyas("run", written(least=0.9), "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    assert "3 passes computed, 2 kept from before" in ran.out
    assert {path.name: path.stat().st_mtime_ns for path in classifier(tmp_path / "scored").iterdir()} == before
    assert pl.read_parquet(tmp_path / "scored/curated/*.parquet")["prose_score"].min() >= 0.9
    # A classifier that was lost is made again as soon as something needs it: a pass without its model is not done.
    (folder / "model.bin").unlink()
    ran = eyas("run", written(least=0.9), "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0 and "0 passes computed" in ran.out
    ran = eyas("run", written(least=0.91), "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0 and (folder / "model.bin").is_file()


def test_a_model_of_another_run_is_found_by_its_path(eyas: Eyas, written: Callable[..., Path], tmp_path: Path) -> None:
    ran = eyas("run", written(), "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    scored = pl.read_parquet(tmp_path / "scored/curated/*.parquet", columns=["id", "prose_score"])
    stages = "\n  - classify: {{model: {model}}}\n  - threshold: {{column: prose_score, min: {least}}}\n"
    again = written(model=str(classifier(tmp_path / "scored")), stages=stages, name="again")
    ran = eyas("run", again, "--workers", "0", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    assert pl.read_parquet(tmp_path / "again/curated/*.parquet", columns=["id", "prose_score"]).equals(scored)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model: prose", "model: prosa", "no classifier 'prosa', neither a name nor a path that exists; did you mean"),
        ("model: prose", "model: /no/such.bin", "no classifier '/no/such.bin'"),
        ("column: prose_score", "column: prose", "needs the column 'prose', which no source has"),
        ("url like '%forum%'", "url = = 'forum'", "where: cannot be read"),
        ("{where: \"url like '%forum%'\"}", "{files: [/no/such/*.jsonl]}", "nothing matches /no/such/*.jsonl"),
        ("held_out: 0.2", "heldout: 0.2", "unknown key; did you mean 'held_out'?"),
        ("held_out: 0.2", "kind: {encoder: /no/such}", "kind.encoder: no `transformers` model at /no/such"),
        ("held_out: 0.2", "kind: {encodr: x}", "kind.encodr: unknown key; did you mean 'encoder'?"),
        ("held_out: 0.2", "kind: svm", "kind: input should be 'fasttext', found 'svm'"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(
    eyas: Eyas, written: Callable[..., Path], old: str, new: str, message: str
) -> None:
    path = written()
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    ran = eyas("plan", path)
    assert ran.code != 0
    said = ran.err.replace("\n", " ")
    at = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if new in line)
    # What concerns a stage as a whole is said at its first line.
    first = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if "- train_classifier" in line)
    assert message in said and (f"{path}:{at}: stages" in said or f"{path}:{first}: stages" in said)
    assert "none is trained before it" not in said


def test_a_column_that_is_not_there_is_said_at_the_stage(eyas: Eyas, written: Callable[..., Path]) -> None:
    path = written()
    path.write_text(path.read_text().replace("url like '%forum%'", "site = 'forum'"))
    ran = eyas("plan", path)
    assert ran.code != 0 and "train_classifier: needs the column 'site', which no source has" in ran.err.replace(
        "\n", " "
    )


def test_a_classifier_trained_later_or_twice_is_no_use(eyas: Eyas, written: Callable[..., Path]) -> None:
    path = written()
    lines = path.read_text().splitlines()
    training = next(i for i, line in enumerate(lines) if "train_classifier" in line)
    early = [*lines[:training], "  - classify: {model: prose}", *lines[training:]]
    path.write_text("\n".join(early))
    ran = eyas("plan", path)
    assert (
        ran.code != 0
        and "no classifier 'prose'" in ran.err
        and "none is trained before it" in ran.err.replace("\n", " ")
    )
    path.write_text("\n".join([*lines[: training + 7], *lines[training : training + 7], *lines[training + 7 :]]))
    ran = eyas("plan", path)
    assert ran.code != 0 and "an earlier stage leaves 'prose' already" in ran.err


def test_too_few_examples_stop_the_run_in_words(eyas: Eyas, written: Callable[..., Path], tmp_path: Path) -> None:
    path = written()
    path.write_text(path.read_text().replace("%forum%", "%nothing%"))
    ran = eyas("run", path, "--workers", "0", "--runs", tmp_path)
    assert ran.code != 0 and "0 different texts among the negatives" in ran.err.replace("\n", " ")


def test_schema_and_list_know_the_stages(eyas: Eyas) -> None:
    listed = eyas("stages").out
    schema = json.loads(eyas("schema").out)
    for name in ("train_classifier", "classify", "threshold"):
        assert name in listed and f"stage_{name}" in schema["$defs"]
