"""Texts of two classes, a training by hand on parts on disk, and a tiny random encoder: nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyas.corpus.documents import document_id, documents, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.filters.classifiers.train import TrainClassifier

GOOD = ["river", "empire", "species", "century", "theory", "population", "treaty", "molecule", "dynasty", "orbit"]
BAD = ["click", "buy", "subscribe", "cheap", "offer", "login", "cookie", "unsubscribe", "lol", "winner"]
COMMON = ["the", "of", "and", "a", "in", "to", "is", "it", "on", "was"]


def texts(good: bool, count: int, seed: int = 0) -> list[str]:
    """`count` different texts of one class, some words of the other among them."""
    chance = random.Random(f"{good} {seed}")
    mine, other = (GOOD, BAD) if good else (BAD, GOOD)
    pool = mine * 4 + other + COMMON * 3
    return [" ".join(chance.choices(pool, k=40)) + f" {seed}-{number}." for number in range(count)]


def rows(good: int, bad: int, other: int = 0) -> list[dict[str, Any]]:
    """Documents in a mixed order: text, source, and the columns lang and kind."""
    made = [{"text": t, "source": "wiki", "lang": "en", "kind": "prose"} for t in texts(True, good)]
    made += [{"text": t, "source": "web", "lang": "en", "kind": "prose"} for t in texts(False, bad)]
    made += [{"text": f"def f{i}(x): return x + {i}", "source": "code", "kind": "code"} for i in range(other)]
    random.Random(1).shuffle(made)
    return made


def lay_out(folder: Path, made: Sequence[dict[str, Any]], cuts: Sequence[int] = ()) -> tuple[Store, list[Part]]:
    """The documents as parts in a store."""
    store = Store(str(folder))
    parts = []
    for number, (first, last) in enumerate(pairwise([0, *cuts, len(made)])):
        piece = made[first:last]
        ids = [document_id(number, row) for row in range(len(piece))]
        origins = [f"#{first + i}" for i in range(len(piece))]
        extra = {name: pa.array([row.get(name) for row in piece], pa.string()) for name in ("lang", "kind")}
        table = documents(ids, [row["text"] for row in piece], "s", origins, extra)
        table = table.set_column(2, "source", pa.array([row["source"] for row in piece]).dictionary_encode())
        path = f"documents/{number}.parquet"
        store.write_table(path, table)
        parts.append(Part(number, "s", path, len(piece), len(piece), text_bytes(table)))
    return store, parts


def train(
    stage: TrainClassifier, folder: Path, made: Sequence[dict[str, Any]], cuts: Sequence[int] = (), seed: int = 7
) -> Path:
    """Runs the stage's steps by hand, each step's tasks backwards; the folder of the classifier."""
    store, parts = lay_out(folder, made, cuts)
    context = TaskContext(store, "pass", seed=seed)
    for step in stage.plan(parts):
        for task in reversed(step.tasks):  # any order must do
            entry = task.run(context)
            json.dumps(entry)
    for part in parts:
        verdict = stage.decide(part, parts, context)
        assert len(verdict) == part.kept and verdict.kept.true_count == part.kept
    return folder / "pass" / stage.makes()[stage.name]


def stage(**options: Any) -> TrainClassifier:
    """A training of wiki against web, small and quick."""
    small = {"name": "prose", "positives": {"where": "source = 'wiki'"}, "negatives": {"where": "source = 'web'"}}
    quick = {"fasttext": {"dim": 8, "buckets": 1000, "min_count": 1, "epochs": 20}}
    return TrainClassifier.model_validate({**small, **quick, **options})


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def tiny_encoder(folder: Path, head: int = 0, problem: str | None = None) -> Path:
    """A random BERT of two layers with a word-level tokenizer; `head`: labels of a classification head, 0 for none."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *COMMON]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(0)
    options: dict[str, Any] = {"num_labels": head, "problem_type": problem} if head else {}
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        **options,
    )
    model = BertForSequenceClassification(config) if head else BertModel(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def large(values: Sequence[str]) -> pa.Array:
    """Texts as a document table holds them."""
    return pa.array(list(values), pa.large_string())


def floats(values: Sequence[float]) -> np.ndarray:
    """A float64 array."""
    return np.array(values, np.float64)
