"""Bits per byte on held-out documents, against the plain formula on each document by itself."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from fake_loader import OPTIONS, SMALL, FakeLoader, index_of
from shard_sets import packed, tokenizer

from eyas.shards import packing_tasks as pack
from eyas.shards.format import HELD_OUT
from eyas.shards.options import ShardOptions
from eyas.tokenizer_train import Encoder
from eyas.trainer.config import HybridConfig
from eyas.trainer.evaluation import HeldOut
from eyas.trainer.model import HybridLM
from eyas.trainer.training import train

TEXTS = [f"the cat {number} and the dog sat on the mat: {'é' * (number % 4)}" for number in range(120)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held")
    packed(path, TEXTS, ShardOptions(sequence_length=96, held_out=0.2))
    return path


def test_it_is_the_log_likelihood_over_the_bytes(folder: Path) -> None:
    import numpy as np

    torch.manual_seed(0)
    model = HybridLM(HybridConfig.preset("tiny", 300, SMALL))
    drawn = pack._drawn(pa.table({"id": np.arange(120, dtype=np.uint64)}), 0.2, 0)
    texts = [text for text, out in zip(TEXTS, drawn, strict=True) if out]
    encoder = Encoder.from_bytes(tokenizer())
    nats = 0.0
    for ids in encoder.encode(pa.array(texts, pa.large_string())).to_pylist():
        whole = torch.tensor([[1, *ids, 11]])
        with torch.no_grad():
            logp = model(whole)[0, :-1].log_softmax(-1)
        nats -= float(logp.gather(1, whole[0, 1:, None]).sum())
    want = nats / math.log(2) / sum(len(text.encode()) for text in texts)
    measured = HeldOut(str(folder / "shards" / HELD_OUT), 1000).bits_per_byte(model, nullcontext())
    assert measured == {"s": pytest.approx(want, rel=1e-5), "all": pytest.approx(want, rel=1e-5)}
    # Fewer rows stand for all of them.
    few = HeldOut(str(folder / "shards" / HELD_OUT), 3).bits_per_byte(model, nullcontext())
    assert few["s"] == pytest.approx(want, rel=0.05)
    assert model.training


def test_training_measures_it_and_resumes_with_the_same_figures(folder: Path, tmp_path: Path) -> None:
    held_out = HeldOut(str(folder / "shards" / HELD_OUT), 4)
    loader = {"index": index_of(vocab_size=300)}
    options = OPTIONS.model_copy(update={"evaluate_every": 5})
    summary = train(FakeLoader(**loader), options, str(tmp_path / "whole"), seed=1, held_out=held_out)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "held_out" in line] == [5, 10, 12]
    assert summary["held_out"] == lines[-1]["held_out"]
    with pytest.raises(RuntimeError, match="power cut"):
        train(FakeLoader(**loader, crash_at=7), options, str(tmp_path / "cut"), seed=1, held_out=held_out)
    train(FakeLoader(**loader), options, str(tmp_path / "cut"), seed=1, held_out=held_out)
    again = [json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert [line.get("held_out") for line in again] == [line.get("held_out") for line in lines]


def test_a_damaged_held_out_file_is_named(folder: Path) -> None:
    path = folder / "shards" / HELD_OUT / "held-out-00000.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"held-out-00000\.arrow"):
        HeldOut(str(folder / "shards" / HELD_OUT), 4)
