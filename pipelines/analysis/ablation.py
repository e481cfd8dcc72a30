"""Ablation: trains the same small model on two slices with an equal token budget, and compares them on held-out text.

Both slices are encoded with the same tokenizer and trained with the same options and seeds, so only the text differs. The
measure is bits per byte of held-out documents. It does not depend on the tokenizer, so each slice may also have its own
tokenizer (LaTeX injected or not). The noise is that of the seeds, which decide initial weights and the order of rows: a
paired t-interval, 95 %, over equal seeds. The trade: a small model on a few million tokens shows what helps a small model.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyas.corpus.documents import documents, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.errors import InputError
from eyas.pipelines.analysis.slices import Slice
from eyas.pipelines.engine.passes.shards import published
from eyas.shards.format import HELD_OUT
from eyas.shards.options import ShardOptions
from eyas.shards.packing_tasks import plan_packing, shard_meta
from eyas.tokenizer_train.encoding.encoder import Encoder
from eyas.trainer.on_shards import train_on
from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import batches_before
from eyas.trainer.summary import ModelSummary

BYTES_PER_TOKEN = 8
"""Bytes of text to take per token of the budget, at most: more than any tokenizer here needs."""
HELD_OUT_BYTES = 400_000
"""Held-out text, at most: a few seconds of every training."""
T_95 = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t for a two-sided 95 % interval, by degrees of freedom from 0."""
NAMES = ("a", "b")


@dataclass(frozen=True)
class Side:
    """One slice: its held-out bits per byte by seed, and how often its text was seen."""

    name: str
    bits_per_byte: list[float]
    tokens: int
    """Tokens of the slice after packing; a larger budget repeats them."""
    epochs: float


@dataclass(frozen=True)
class Ablation:
    """The result. `difference`: a minus b, so a negative one is in favour of a; `interval`: half of its width."""

    a: Side
    b: Side
    seeds: list[int]
    budget: int
    difference: float
    interval: float
    held_out_bytes: int

    @property
    def verdict(self) -> str:
        """The result as a sentence."""
        if abs(self.difference) <= self.interval:
            return f"no difference beyond the noise of {len(self.seeds)} seeds"
        better, worse = (self.a, self.b) if self.difference < 0 else (self.b, self.a)
        return f"{better.name} beats {worse.name} by {abs(self.difference):.4f} bits per byte"


def ablate(
    slices: Sequence[Slice],
    held_out: Slice | None,
    tokenizers: Sequence[str],
    options: TrainOptions,
    sequence_length: int,
    seeds: Sequence[int],
    out: Path,
    threads: int,
    progress: Callable[[str, dict[str, Any] | None], None],
    share: float = 0.05,
) -> Ablation:
    """Trains on both slices for every seed, in the folder `out`; if it is killed, another call goes on from there.

    held_out: text to judge on. None: a share of the first slice. Both slices are trained without it: without equal texts, and
    in a slice of the same run without the same documents and those that were made from them.
    tokenizers: the tokenizer.json of each side. progress: called with the task at hand, and with the metrics of each step.
    """
    budget = batches_before(options, options.steps + 1) * options.loader_rows * sequence_length
    # All rows are judged, because a part of them would be other text with another tokenizer.
    options = options.model_copy(update={"evaluate_rows": 1 << 30})
    out.mkdir(parents=True, exist_ok=True)
    store = Store(str(out))
    identity = {
        "slices": [[one.name, one.state] for one in slices],
        "held_out": [held_out.name, held_out.state] if held_out else share,
        "tokenizers": [hashlib.sha256(Path(one).read_bytes()).hexdigest() for one in tokenizers],
        "length": sequence_length,
        "budget": budget,
    }
    known = store.read_json("asked.json") if store.exists("asked.json") else identity
    if known != identity:
        raise InputError(
            f"{out} holds another ablation, or its slices have changed since: choose another folder, or delete it"
        )
    store.write_json("asked.json", identity)
    judged = _judged(held_out or slices[0], 1.0 if held_out else share)
    for name, one, tokenizer in zip(NAMES, slices, tokenizers, strict=True):
        if not store.exists(f"{name}/shards/{HELD_OUT}/index.json"):
            progress(f"packing {one.name}", None)
            texts = _shuffled(one, judged, (held_out or slices[0]).run, budget * BYTES_PER_TOKEN)
            _pack(Store(f"{out}/{name}"), texts, list(judged.values()), one, tokenizer, sequence_length)
    summaries: dict[str, list[ModelSummary]] = {name: [] for name in NAMES}
    for seed in seeds:
        for name, one in zip(NAMES, slices, strict=True):
            folder = out / name / f"seed-{seed}"
            step_done = partial(progress, f"{one.name}, seed {seed}")
            summaries[name].append(train_on(f"{out}/{name}/shards", options, folder, seed, threads, step_done))
    a, b = (_side(one, summaries[name], budget, out / name) for name, one in zip(NAMES, slices, strict=True))
    difference, interval = paired(a.bits_per_byte, b.bits_per_byte)
    result = Ablation(
        a, b, list(seeds), budget, difference, interval, sum(len(text.encode()) for text in judged.values())
    )
    content = {**asdict(result), "interval": interval if math.isfinite(interval) else None, "verdict": result.verdict}
    (out / "ablation.json").write_text(json.dumps(content, indent=1) + "\n")
    return result


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b over pairs, and half of its 95 % interval: infinite for one pair."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    freedom = len(differences) - 1
    if not freedom:
        return differences[0], math.inf
    t = T_95[freedom] if freedom < len(T_95) else 1.96 + 2.4 / freedom + 3 / freedom**2
    return statistics.fmean(differences), t * statistics.stdev(differences) / math.sqrt(len(differences))


def _side(one: Slice, summaries: list[ModelSummary], budget: int, folder: Path) -> Side:
    index = json.loads((folder / "shards" / "index.json").read_text(encoding="utf-8"))
    measured = [held_out["all"] for summary in summaries if (held_out := summary["held_out"])]
    if missing := len(summaries) - len(measured):
        raise InputError(
            f"{folder}: {missing} trainings have lost their metrics.jsonl: delete the folder and run again"
        )
    return Side(one.name, measured, index["tokens"], budget / max(index["tokens"], 1))


def _judged(one: Slice, share: float) -> dict[int, str]:
    """Texts to judge on by id (or, without ids, by number), up to HELD_OUT_BYTES: those with the lowest hash ranks."""
    lowest: list[tuple[float, str, int]] = []
    count = 0
    for table in one.tables():
        ids = table.column("id").to_pylist() if "id" in table.column_names else range(count, count + table.num_rows)
        ranks = _hash_ranks(table.column("text"))
        rows = zip(ranks.tolist(), table.column("text").to_pylist(), ids, strict=True)
        lowest = _lowest([*lowest, *(row for row in rows if row[0] < share and row[1])], HELD_OUT_BYTES)
        count += table.num_rows
    if not lowest:
        raise InputError(f"{one.name}: no text to judge on")
    return {number: text for _, text, number in lowest}


def _hash_ranks(texts: pa.ChunkedArray) -> np.ndarray:
    """A pseudo-random number in [0, 1) for each text, which depends on the text alone."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts.to_pylist()]
    numbers: np.ndarray = np.frombuffer(b"".join(digests), np.uint64) / 2.0**64
    return numbers


def _shuffled(one: Slice, judged: dict[int, str], run: str | None, most: int) -> list[str]:
    """Texts of a slice with the lowest hash ranks, up to `most` bytes, without those of `judged`, which has ids of `run`."""
    hidden_texts, hidden_ids = set(judged.values()), set(judged) if one.run is not None and one.run == run else set()
    lowest: list[tuple[float, str, int]] = []
    for table in one.tables():
        columns = table.to_pydict()
        none = [None] * table.num_rows
        rows = zip(
            _hash_ranks(table.column("text")).tolist(), columns["text"], columns.get("id", none), columns.get("parent", none),
            strict=True,
        )  # fmt: skip
        lowest += [
            (number, text, 0)
            for number, text, document, parents in rows
            if text and text not in hidden_texts and hidden_ids.isdisjoint([document, *(parents or ())])
        ]
        lowest = _lowest(lowest, most)
    return [text for _, text, _ in lowest]


def _lowest(ranked: list[tuple[float, str, int]], most: int) -> list[tuple[float, str, int]]:
    ranked = sorted(ranked)
    ends = np.cumsum([len(text.encode()) for _, text, _ in ranked])
    return ranked[: int(np.searchsorted(ends, most)) + 1]


def _pack(store: Store, texts: list[str], judged: list[str], one: Slice, tokenizer: str, sequence_length: int) -> None:
    """The slice and the held-out texts as shards, below the folder of the side."""
    if not texts:
        raise InputError(f"{one.name}: no text to train on")
    data = Path(tokenizer).read_bytes()
    encoder = Encoder.from_bytes(data, tokenizer)
    digest = hashlib.sha256(data).hexdigest()
    with store.create("tokenizer/tokenizer.json") as output:
        output.sink.write(data)
    store.write_json("tokenizer/index.json", {"sha256": digest})
    options = ShardOptions(sequence_length=sequence_length)
    meta = shard_meta(encoder, options, digest)
    for folder, some in (("shards", texts), (f"shards/{HELD_OUT}", judged)):
        table = documents(list(range(len(some))), some, "text", [""] * len(some))
        entry = store.write_table(f"slices/{folder}.parquet", table)
        part = Part(0, "text", entry.path, len(some), len(some), text_bytes(table))
        entries = []
        for step in plan_packing([part], options, "tokenizer/tokenizer.json", folder):
            entries += [task.run(TaskContext(store, folder, seed=0)) for task in step.tasks]
        published(store, folder, meta, entries, len(some))
