"""Training on a folder of shards: the summary names its sources, and a wrong tokenizer is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_loader import OPTIONS, SMALL
from shard_sets import packed, tokenizer

from eyas.shards.options import Phase, ShardOptions
from eyas.trainer.on_shards import train_on
from eyas.trainer.options import TrainOptions

TEXTS = [f"the cat {number} and the dog sat on the mat" for number in range(120)]


def test_it_trains_measures_and_warns_of_repetition(tmp_path: Path) -> None:
    packed(tmp_path, TEXTS, ShardOptions(sequence_length=32, held_out=0.2))
    options = OPTIONS.model_copy(update={"mixture": [Phase(weights={"s": 1.0})], "steps": 30})
    warnings: list[str] = []
    steps: list[int] = []
    shards = str(tmp_path / "shards")
    summary = train_on(shards, options, tmp_path / "m", 1, 1, lambda line: steps.append(line["step"]), warnings.append)
    assert steps == list(range(1, 31)) and set(summary["held_out"]) == {"s", "all"}
    assert [source["source"] for source in summary["sources"]] == ["s"] and summary["sources"][0]["rows"] == 120
    assert summary["repeated_too_soon"] == warnings and "source 's' is repeated" in warnings[0]
    assert len(summary["order_hash"]) == 16
    start = TrainOptions(start_from=str(tmp_path / "m"), steps=2, batch_size=4, device="cpu")
    assert train_on(shards, start, tmp_path / "n", 1, 1)["parameters"] == summary["parameters"]


def test_another_tokenizer_beside_the_shards_is_refused(tmp_path: Path) -> None:
    packed(tmp_path, TEXTS, ShardOptions(sequence_length=32))
    file = tmp_path / "tokenizer" / "tokenizer.json"
    file.write_text(json.dumps(json.loads(tokenizer()) | {"version": "2.0"}))
    with pytest.raises(ValueError, match=r"tokenizer\.json: another tokenizer"):
        train_on(f"{tmp_path}/shards/", OPTIONS, tmp_path / "m", 1, 1)
    file.unlink()
    assert train_on(f"{tmp_path}/shards", TrainOptions(model=SMALL, steps=1), tmp_path / "m", 1, 1)["held_out"] is None
