"""Scoring by models of every kind: ours, a fastText file, transformers folders; and words for what is none."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import fasttext
import fsspec
import numpy as np
import pyarrow as pa
import pytest
import torch
from classifier_driver import rows, stage, texts, tiny_encoder, train

from eyas.corpus import StageUnavailable
from eyas.corpus.documents import documents
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.filters.classifiers.classify import Classify

HOSTILE = [
    "",
    "\0",
    "\n\n",
    "</s>",
    "__label__positive",
    "x" * 100_000,
    "\u200f\u2028",
    "好" * 50,
    "a\0b\n__label__x </s>",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fastText classifier."""
    return train(stage(), tmp_path_factory.mktemp("run"), rows(120, 120))


@pytest.fixture(scope="module")
def headed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head on a tiny encoder."""
    folder = tmp_path_factory.mktemp("run")
    kind = {"encoder": str(tiny_encoder(folder / "bert"))}
    return train(stage(kind=kind), folder, rows(60, 60))


def table(*values: str) -> pa.Table:
    """Documents of these texts."""
    return documents(list(range(len(values))), list(values), "s", [""] * len(values))


def scores(made: Classify, *values: str) -> list[float | None]:
    """What a stage says of texts; the rest of the table must stay."""
    docs = table(*values)
    out = made.map(docs)
    assert out.column_names == [*docs.column_names, made.score_column] and out.select(docs.column_names).equals(docs)
    column = out.column(made.score_column)
    assert column.type == pa.float32() == made.columns_added()[made.score_column]
    found: list[float | None] = column.to_pylist()
    return found


def test_good_text_scores_high_and_bad_low(trained: Path) -> None:
    made = Classify(model=str(trained))
    assert made.score_column == "prose_score"
    found = scores(made, *texts(True, 10, 5), *texts(False, 10, 5))
    assert min(found[:10]) > 0.5 > max(found[10:])  # type: ignore[type-var]


@pytest.mark.parametrize("kind", ["trained", "headed"])
def test_each_document_is_scored_by_itself(kind: str, request: pytest.FixtureRequest) -> None:
    made = Classify(model=str(request.getfixturevalue(kind)))
    values = [*texts(True, 4, 6), *HOSTILE, *texts(False, 4, 6)]
    together = scores(made, *values)
    assert scores(made, *reversed(values)) == together[::-1]
    assert [scores(made, value)[0] for value in values] == together
    assert all(score is None or 0.0 <= score <= 1.0 for score in together)
    assert made.map(table().slice(0, 0)).num_rows == 0


def test_threads_are_given_back(headed: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        scores(Classify(model=str(headed)), "the river")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_stage_travels_without_its_model(trained: Path) -> None:
    made = Classify(model=str(trained))
    found = scores(made, "the river")
    assert len(pickle.dumps(made)) < 1000
    assert scores(pickle.loads(pickle.dumps(made)), "the river") == found


def test_a_model_of_the_same_recipe_is_found_by_name(trained: Path, tmp_path: Path) -> None:
    made = Classify(model="prose", column="q")
    store = Store(str(trained.parents[2]))
    where = str(trained.relative_to(trained.parents[2]))
    made.check_made(["prose"])
    made.open(TaskContext(store, "later", 0, artifacts={"prose": where}))
    made.prepare()
    assert scores(made, "the river") == scores(Classify(model=str(trained)), "the river")
    other = tmp_path / "run"
    shutil.copytree(trained, other / "m")
    (other / "m" / "classifier.json").unlink()
    made.open(TaskContext(Store(str(other)), "later", 0, artifacts={"prose": "m"}))
    with pytest.raises(StageUnavailable, match=r"is no classifier: expected classifier\.json"):
        made.prepare()


@pytest.mark.parametrize("kind", ["trained", "headed"])
def test_a_model_on_remote_storage_is_copied(kind: str, request: pytest.FixtureRequest) -> None:
    local = request.getfixturevalue(kind)
    memory = fsspec.filesystem("memory")
    memory.put(str(local), f"/{kind}/passes/x/classifier/prose", recursive=True)
    made = Classify(model="prose")
    context = TaskContext(Store(f"memory://{kind}"), "later", 0, artifacts={"prose": "passes/x/classifier/prose"})
    made.open(context)
    made.prepare()
    direct = Classify(model=f"memory://{kind}/passes/x/classifier/prose")
    direct.check_made([])
    assert direct.fingerprint() is not None
    expected = scores(Classify(model=str(local)), "the river", "buy")
    assert scores(made, "the river", "buy") == scores(direct, "the river", "buy") == expected


def test_a_fasttext_file_made_elsewhere(tmp_path: Path) -> None:
    lines = [f"__label__hq {t}" for t in texts(True, 60)] + [f"__label__cc {t}" for t in texts(False, 60)]
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n")
    model = fasttext.train_supervised(str(tmp_path / "train.txt"), dim=4, epoch=30, bucket=0, thread=1, verbose=0)
    path = tmp_path / "oh.eli5.bin"
    model.save_model(str(path))
    made = Classify(model=str(path), label="hq")
    assert made.score_column == "oh_score"
    text = texts(True, 1, 3)[0]
    assert scores(made, text)[0] == pytest.approx(
        dict(zip(*model.predict(text, k=2), strict=True))["__label__hq"], abs=1e-6
    )
    with pytest.raises(StageUnavailable, match=r"add `label:` with one of (hq, cc|cc, hq)"):
        Classify(model=str(path)).prepare()
    with pytest.raises(StageUnavailable, match="has no label 'good'; its labels are"):
        Classify(model=str(path), label="good").prepare()


def logits(folder: Path, text: str) -> Any:
    """What transformers itself says of one text."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        return AutoModelForSequenceClassification.from_pretrained(folder).eval()(**tokens).logits[0].double()


@pytest.mark.parametrize(("head", "problem"), [(1, "regression"), (3, None), (2, "multi_label_classification")])
def test_an_encoder_with_a_head_of_its_own(tmp_path: Path, head: int, problem: str | None) -> None:
    folder = tiny_encoder(tmp_path / "edu", head, problem)
    text = "the river of the empire"
    raw = logits(folder, text)
    values = raw if head == 1 else raw.sigmoid() if problem == "multi_label_classification" else raw.softmax(0)
    made = Classify(model=str(folder), column="edu")
    assert scores(made, text)[0] == pytest.approx(float(values[-1]), abs=1e-6)
    assert scores(made, "the " * 500)[0] is not None  # longer than the model takes
    if head == 3:
        assert scores(Classify(model=str(folder), label="LABEL_0"), text)[0] == pytest.approx(
            float(values[0]), abs=1e-6
        )
        with pytest.raises(StageUnavailable, match="no label 'x'; its labels are LABEL_0, LABEL_1, LABEL_2"):
            Classify(model=str(folder), label="x").prepare()


def test_an_encoder_without_a_head_says_how_to_train_one(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "bert")
    with pytest.raises(StageUnavailable, match=r"without a classification head \(BertModel\).*train_classifier"):
        Classify(model=str(folder)).prepare()


def test_what_is_no_classifier(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "text.bin").write_text("no model")
    with pytest.raises(StageUnavailable, match="is not a fastText model with labels"):
        Classify(model=str(tmp_path / "text.bin")).prepare()
    (tmp_path / "words.txt").write_text("a b c d\n" * 100)
    words = fasttext.train_unsupervised(str(tmp_path / "words.txt"), dim=2, epoch=1, minCount=1, thread=1, verbose=0)
    words.save_model(str(tmp_path / "words.bin"))
    with pytest.raises(StageUnavailable, match=r"words\.bin is not a fastText model with labels"):
        Classify(model=str(tmp_path / "words.bin")).prepare()
    with pytest.raises(StageUnavailable, match="no such path, and no stage made it"):
        Classify(model="nowhere").prepare()
    with pytest.raises(StageUnavailable, match=r"is no classifier: expected"):
        Classify(model=str(tmp_path)).prepare()
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    with (copy / "model.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(StageUnavailable, match=r"model\.bin is not the file that classifier\.json describes"):
        Classify(model=str(copy)).prepare()
    (copy / "model.bin").unlink()
    with pytest.raises(StageUnavailable, match="is incomplete"):
        Classify(model=str(copy)).prepare()
    (copy / "classifier.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StageUnavailable, match="has format 99"):
        Classify(model=str(copy)).prepare()


def test_a_head_whose_encoder_changed_is_refused(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "bert")
    folder = train(stage(kind={"encoder": str(encoder)}), tmp_path / "run", rows(40, 40))
    scores(Classify(model=str(folder)), "the river")
    (encoder / "config.json").write_text((encoder / "config.json").read_text() + "\n")
    with pytest.raises(StageUnavailable, match="is not there or has changed"):
        Classify(model=str(folder)).prepare()


def test_a_name_that_nobody_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no classifier 'prosa'.*did you mean 'prose'\?"):
        Classify(model="prosa").check_made(["edu", "prose"])
    with pytest.raises(ValueError, match="none is trained before it"):
        Classify(model="prose").check_made([])
    with pytest.raises(ValueError, match="'text' is a column of every document"):
        Classify(model="prose", column="text").check_made(["prose"])


def test_scores_replace_an_older_column(trained: Path) -> None:
    made = Classify(model=str(trained))
    again = made.map(made.map(table("the river")))
    assert again.column_names.count("prose_score") == 1 and not np.isnan(again.column("prose_score")[0].as_py())
