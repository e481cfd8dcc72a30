"""Did this data help? The same small model, trained on two slices at an equal token budget, judged on held-out text.

Both slices are cut with the same tokenizer and trained with the same options, from the same seeds; what differs is the text.
The measure is bits per byte on held-out documents, which does not depend on the tokenizer, so `own_tokenizers` may compare
two of them (LaTeX injected or not). The noise is that of the seeds: initial weights and order of rows, the pairs of equal
seeds compared (a paired t-interval, 95 %). The trade: a small model on a few million tokens tells what helps a small model.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.documents import documents, text_bytes
from corpus.part import Part
from corpus.store import Store
from corpus.task import TaskContext
from pipelines.passes.model import train_on
from pipelines.passes.shards import published
from pipelines.slices import Slice
from shards.options import ShardOptions
from shards.pack import HELD_OUT, plan_packing, shard_meta
from tokenizer_train.encoder import Encoder
from trainer.options import TrainOptions

BYTES_PER_TOKEN = 8
"""So many bytes of text are taken per token of the budget at most: more than any tokenizer here needs."""
HELD_OUT_BYTES = 400_000
"""Text that is judged on, at most: a few seconds of every training."""
T_95 = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t for a two-sided 95 % interval, by degrees of freedom from 0."""
NAMES = ("a", "b")


@dataclass(frozen=True)
class Side:
    """One slice: bits per byte by seed, held out, and how often its text was seen."""

    name: str
    bits_per_byte: list[float]
    tokens: int
    """Of the slice, after packing; the budget may be more (it is repeated) or less."""
    epochs: float


@dataclass(frozen=True)
class Ablation:
    """What came out. `difference`: a minus b, so that a negative one is in favour of a; `interval`: half its width."""

    a: Side
    b: Side
    seeds: list[int]
    budget: int
    difference: float
    interval: float
    held_out_bytes: int

    @property
    def verdict(self) -> str:
        """In words."""
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
    told: Callable[[str, dict[str, Any] | None], None],
    share: float = 0.05,
) -> Ablation:
    """Trains on both slices for every seed, in `out`; killed, it goes on from there.

    held_out: text to judge on; None: a share of the first slice. Texts it holds are taken out of both slices.
    tokenizers: the tokenizer.json of each side. told: what is being done, with a step's metrics.
    """
    budget = options.steps * options.batch_size * sequence_length
    out.mkdir(parents=True, exist_ok=True)
    store = Store(str(out))
    made = {
        "slices": [one.name for one in slices],
        "held_out": held_out.name if held_out else share,
        "tokenizers": [Path(one).read_text(encoding="utf-8") for one in tokenizers],
        "length": sequence_length,
        "budget": budget,
    }
    known = store.read_json("asked.json") if store.exists("asked.json") else made
    if known != made:
        raise ValueError(f"{out} holds another ablation: choose another folder, or delete it")
    judged = _held_out_texts(slices[0], held_out, share, HELD_OUT_BYTES)
    hidden = set(judged)
    for name, one, tokenizer in zip(NAMES, slices, tokenizers, strict=True):
        if not store.exists(f"{name}/shards/{HELD_OUT}/index.json"):
            told(f"packing {one.name}", None)
            texts = _without(_shuffled(one.texts(), budget * BYTES_PER_TOKEN), hidden)
            _pack(Store(f"{out}/{name}"), texts, judged, one, tokenizer, sequence_length)
    store.write_json("asked.json", made)
    summaries: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for seed in seeds:
        for name, one in zip(NAMES, slices, strict=True):
            what = f"{one.name}, seed {seed}"
            folder = out / name / f"seed-{seed}"
            step = partial(told, what)
            summary = train_on(f"{out}/{name}/shards", options, folder, seed, threads, step)
            summaries[name].append(summary)
    a, b = (_side(one, summaries[name], budget, out / name) for name, one in zip(NAMES, slices, strict=True))
    difference, interval = paired(a.bits_per_byte, b.bits_per_byte)
    result = Ablation(a, b, list(seeds), budget, difference, interval, sum(len(text.encode()) for text in judged))
    (out / "ablation.json").write_text(json.dumps({**asdict(result), "verdict": result.verdict}, indent=1) + "\n")
    return result


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b over pairs, and half of its 95 % interval: infinite for one pair."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    freedom = len(differences) - 1
    if not freedom:
        return differences[0], math.inf
    t = T_95[freedom] if freedom < len(T_95) else 1.96 + 2.4 / freedom
    return statistics.fmean(differences), t * statistics.stdev(differences) / math.sqrt(len(differences))


def _side(one: Slice, summaries: list[dict[str, Any]], budget: int, folder: Path) -> Side:
    index = json.loads((folder / "shards" / "index.json").read_text(encoding="utf-8"))
    found = [summary["held_out"]["all"] for summary in summaries]
    return Side(one.name, found, index["tokens"], budget / max(index["tokens"], 1))


def _held_out_texts(first: Slice, given: Slice | None, share: float, most: int) -> list[str]:
    """Texts to judge on, up to `most` bytes: of the slice given, or a share of the first one, by the lot of their hash."""
    found, size = [], 0
    for texts in (given or first).texts():
        drawn = texts if given else texts.filter(pa.array(_lots(texts) < share))
        for text in drawn.to_pylist():
            if text and size < most:
                found.append(text)
                size += len(text.encode())
    if not found:
        raise ValueError(f"{(given or first).name}: no text to judge on")
    return list(dict.fromkeys(found))


def _lots(texts: pa.LargeStringArray) -> np.ndarray:
    """A number in [0, 1) for each text, which depends on the text alone."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts.to_pylist()]
    numbers: np.ndarray = np.frombuffer(b"".join(digests), np.uint64) / 2.0**64
    return numbers


def _shuffled(texts: Iterator[pa.LargeStringArray], most: int) -> list[str]:
    """Those with the lowest lots, up to `most` bytes: a sample that does not depend on the order."""
    held: list[tuple[float, str]] = []
    for batch in texts:
        held += zip(_lots(batch).tolist(), batch.to_pylist(), strict=True)
        held = _lowest(held, most)
    return [text for _, text in held]


def _lowest(held: list[tuple[float, str]], most: int) -> list[tuple[float, str]]:
    held = sorted(held)
    ends = np.cumsum([len(text) for _, text in held])
    return held[: int(np.searchsorted(ends, most)) + 1]


def _without(texts: list[str], hidden: set[str]) -> list[str]:
    return [text for text in texts if text and text not in hidden]


def _pack(store: Store, texts: list[str], judged: list[str], one: Slice, tokenizer: str, sequence_length: int) -> None:
    """The slice and the held-out texts as shards, below the folder of the side."""
    if not texts:
        raise ValueError(f"{one.name}: no text to train on")
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
