"""Training as a stage: the same bytes whatever the cut and the order, and words for what cannot be learned."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from classifier_driver import digests, large, rows, stage, texts, tiny_encoder, train
from pydantic import ValidationError

from eyas.filters.classifiers.models import load
from eyas.filters.classifiers.train import TrainClassifier

MADE = rows(150, 150, 60)
FILES = ["classifier.json", "model.bin", "report.html", "report.json"]


def test_the_same_bytes_every_time_and_however_documents_are_cut(tmp_path: Path) -> None:
    first = digests(train(stage(), tmp_path / "a", MADE))
    assert sorted(first) == FILES
    assert digests(train(stage(), tmp_path / "b", MADE)) == first
    assert digests(train(stage(), tmp_path / "c", MADE, cuts=[1, 90, 91, 300])) == first
    assert digests(train(stage(), tmp_path / "d", MADE, seed=8))["model.bin"] != first["model.bin"]


def test_it_learns_and_the_folder_says_how_well(tmp_path: Path) -> None:
    folder = train(stage(), tmp_path, MADE)
    about, report = (json.loads((folder / name).read_text()) for name in ("classifier.json", "report.json"))
    assert about["metrics"]["roc_auc"] > 0.95 and about["seed"] == 7
    assert about["sizes"] == {
        "training_positives": 135,
        "training_negatives": 135,
        "held_out_positives": 15,
        "held_out_negatives": 15,
        "surveyed": 60,
        "copies_left_out": 0,
        "in_both_left_out": 0,
    }
    kinds = next(group for group in report["groups"] if group["column"] == "kind")
    assert {row["name"]: row["documents"] for row in kinds["rows"]} == {"code": 60, "prose": 30}
    words = {entry["word"] for entry in report["telling_words"]["positive"]}
    assert {"river", "empire", "species"} <= words
    scores = load(folder).scores(large([*texts(True, 20, 9), *texts(False, 20, 9)]))
    assert scores[:20].min() > scores[20:].max() - 0.5 and scores[:20].mean() > 0.8 > 0.2 > scores[20:].mean()


def test_only_so_many_are_taken_and_they_depend_on_seed_and_ids_alone(tmp_path: Path) -> None:
    few = stage(max_documents=40, survey=10)
    one = digests(train(few, tmp_path / "a", MADE, cuts=[100, 200]))
    two = train(few, tmp_path / "b", MADE, cuts=[100, 200])
    assert digests(two) == one
    sizes = json.loads((two / "classifier.json").read_text())["sizes"]
    assert sizes["training_positives"] + sizes["held_out_positives"] == 40 and sizes["surveyed"] <= 10


def test_examples_may_come_from_files(tmp_path: Path) -> None:
    bad = tmp_path / "in"
    bad.mkdir()
    lines = [json.dumps({"body": text, "lang": "en"}) for text in texts(False, 60)]
    (bad / "a.jsonl.gz").write_bytes(gzip.compress("\n".join([*lines[:30], "{broken", ""]).encode()))
    pl.DataFrame({"body": texts(False, 60)[30:]}).write_parquet(bad / "b.parquet")
    negatives = {"files": [f"{bad}/*.gz", f"{bad}/b.parquet"], "text_column": "body"}
    folder = train(stage(negatives=negatives), tmp_path / "run", MADE)
    assert json.loads((folder / "classifier.json").read_text())["sizes"]["training_negatives"] == 54
    report = json.loads((folder / "report.json").read_text())
    assert {"wiki", "a.jsonl.gz", "b.parquet"} <= {row["name"] for row in report["groups"][0]["rows"]}
    entry = pl.read_parquet(tmp_path / "run/pass/sample/negatives-files.parquet")
    assert entry.height == 60 and entry["text"].is_sorted() is False


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    made = stage(negatives={"files": [f"{tmp_path}/*.jsonl"]})
    before = made.fingerprint()
    assert made.fingerprint() == before
    (tmp_path / "a.jsonl").write_text('{"text": "xy"}\n')
    assert made.fingerprint() != before
    with pytest.raises(ValueError, match=r"nothing matches .*none"):
        stage(negatives={"files": [f"{tmp_path}/none*.jsonl"]}).check_made([])


def test_a_condition_may_ask_for_any_column_and_a_null_is_no(tmp_path: Path) -> None:
    made = stage(
        positives={"where": "source = 'wiki' and length(text) > 5 and kind is not null"},
        negatives={"where": "source = 'web' or lang = 'de'"},
    )
    assert made.columns_needed() == ("kind", "lang")
    folder = train(made, tmp_path, MADE)
    assert json.loads((folder / "classifier.json").read_text())["sizes"]["held_out_negatives"] == 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positives": {"where": "source = = 'x'"}}, "where: cannot be read"),
        ({"positives": {}}, "exactly one of `where`"),
        ({"positives": {"where": "true", "files": ["x"]}}, "exactly one of `where`"),
        ({"positives": {"where": "source = 'web'"}}, "there is nothing to learn"),
        ({"name": "two words"}, "should match pattern"),
        ({"groups": ["text"]}, "cannot be grouped"),
        ({"kind": "svm"}, "should be 'fasttext'"),
        ({"kind": {"encoder": "/no/such/model"}}, r"no `transformers` model at /no/such/model"),
        ({"held_out": 0.9}, "less than or equal to 0.5"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        stage(**options)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("length(text)", "gives UInt32, expected true or false"),
        ("lang > 5", "cannot be evaluated"),
        ("count(text) > 200 and source = 'wiki'", "must depend on one document alone"),
    ],
)
def test_a_condition_that_is_none_says_so(tmp_path: Path, where: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(stage(positives={"where": where}), tmp_path, MADE)


def test_a_stage_travels_as_its_options() -> None:
    made = stage(max_documents=5)
    again = pickle.loads(pickle.dumps(made))
    assert isinstance(again, TrainClassifier) and again == made
    assert made.makes() == {"prose": "classifier/prose"}


def test_a_head_on_an_encoder_is_trained_likewise(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "bert")
    made = stage(kind={"encoder": str(encoder), "max_tokens": 50})
    first = train(made, tmp_path / "a", MADE[:150])
    assert digests(first) == digests(train(made, tmp_path / "b", MADE[:150], cuts=[50]))
    assert sorted(digests(first)) == ["classifier.json", "head.json", "report.html", "report.json"]
    assert json.loads((first / "classifier.json").read_text())["metrics"]["roc_auc"] > 0.8
    stamp = made.fingerprint()
    (encoder / "config.json").write_text((encoder / "config.json").read_text() + "\n")
    assert made.fingerprint() != stamp
