"""Deduplication against its peers: text to MinHash signatures, and the whole of it in GB per core-hour. One core.

Signatures, 112 lanes over shingles of five words: polars-textproc, rensa, datasketch and datatrove, each on the same
documents, in turns. Peers that take words get them by a regular expression that cuts about as many as ours by UAX #29, so
that all sketch sets of one size, and by `str.split`, as in their own examples, which makes 40 % fewer shingles of code.
polars-textproc and datatrove cut by their own default: fewer words than ours. Hash functions differ, so signatures
cannot be equal; what ours are worth is tested in tests/filters/dedup.

The whole: a run of the engine with `minhash_dedup` as it comes, from Parquet to masks and ledger, verification and audit
included; on the documents as they are, and with a near-copy of every third beside them.

    python -m benchmarks.dedup --corpus DIR --megabytes 60 --json dedup.json
"""

from __future__ import annotations

import os
import random
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from eyas.filters.dedup.signatures import SEED, lanes
from eyas.pipelines import run as run_recipe
from eyas.text_kernels.fingerprints.minhash import signatures
from eyas.text_kernels.fingerprints.shingles import shingles
from eyas.text_kernels.words.words import word_hashes

NAME = "MinHash, text to 112 lanes"
WHOLE = "whole deduplication, verified"
BANDS, ROWS = 14, 8
"""As in FineWeb."""
LANES = BANDS * ROWS
WORDS = 5
LEAST_RATIO = 5.0
LEAST_GB = 50.0

Split = Callable[[str], list[str]]
SPLITS: dict[str, Split] = {"regex words": re.compile(r"\w+|[^\w\s]").findall, "str.split": str.split}


def measure(options: Options) -> Report:
    texts = read_texts(options)
    report = Report()
    with one_core():
        _signatures(texts, options, report)
        _whole(texts, options, report)
    return report


@contextmanager
def one_core() -> Iterator[None]:
    """Everything in here, threads of libraries included, on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- signatures -----------------------------------------------------------------------------------------------------


def _signatures(texts: Sequence[str], options: Options, report: Report) -> None:
    contenders: dict[str, Callable[[], Any]] = {"ours": partial(ours, text_column(texts))}
    there = [module for module in (*PEERS, *CUT_PEERS) if installed(module)]
    if "datatrove" in there and not installed("xxhash"):
        there.remove("datatrove")  # it hashes by xxhash, which it does not bring
    for module, sketch in PEERS.items():
        if module in there:
            contenders[module] = partial(sketch, texts)
    for module, cut in CUT_PEERS.items():
        if module in there:
            contenders |= {f"{module}, {name}": partial(cut, texts, split) for name, split in SPLITS.items()}
    timed = in_turns(contenders, options.rounds)
    rate = timed.rate("ours", len(texts))
    for name in contenders:
        if name != "ours":
            report.against(NAME, rate, timed.rate(name, len(texts)), name, "docs/s", LEAST_RATIO)
    for module in (*PEERS, *CUT_PEERS):
        if module not in there:
            report.skip(NAME, rate, module, "docs/s", LEAST_RATIO, "is not installed (make bench installs it)")
    report.checked.append(_shingles(texts))


def ours(text: pa.LargeStringArray) -> npt.NDArray[np.uint32]:
    """What `minhash_dedup` does before banding: uint32[documents, 112]."""
    return signatures(text, WORDS, *lanes(LANES, SEED))[0]


def textproc(texts: Sequence[str]) -> Any:
    """Its own defaults are 14 bands of 8 over 5 words of `\\w+`; the column is made beforehand, as ours is not copied."""
    polars, minhash = import_module("polars"), import_module("polars_textproc").minhash
    return polars.DataFrame({"text": texts}).select(minhash("text", buckets=BANDS, bsize=ROWS, window=WORDS))


def datatrove(texts: Sequence[str]) -> list[Any]:
    """Shingles and signature by its own code, but for spaCy's words, which would take most of the time."""
    module = import_module("datatrove.pipeline.dedup.minhash")
    config = module.MinhashConfig(n_grams=WORDS, num_buckets=BANDS, hashes_per_bucket=ROWS)
    # Its constructor loads spaCy; all else that it does is done here.
    stage = module.MinhashDedupSignature.__new__(module.MinhashDedupSignature)
    stage.config, stage.num_hashes, stage._parameters = config, LANES, None
    stage._hash_func = module.create_hash_func(config.hash_config)
    stage.word_tokenizer = _RegexWords()
    sets = (stage.get_shingles(text) for text in texts)
    return [stage.get_signature(each) if each.size else None for each in sets]


class _RegexWords:
    _find = re.compile(r"\w+").findall

    def word_tokenize(self, text: str) -> list[str]:
        return self._find(text)


def python_shingles(texts: Sequence[str], split: Split) -> Iterator[set[str]]:
    """The distinct shingles of each text."""
    for text in texts:
        words = split(text.lower())
        yield {" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))}


def datasketch(texts: Sequence[str], split: Split) -> list[Any]:
    encoded = ([shingle.encode() for shingle in found] for found in python_shingles(texts, split))
    minhash = import_module("datasketch").MinHash
    return [signature.digest() for signature in minhash.generator(encoded, num_perm=LANES)]


def rensa(texts: Sequence[str], split: Split) -> list[Any]:
    minhash = import_module("rensa").RMinHash
    found = []
    for each in python_shingles(texts, split):
        signature = minhash(num_perm=LANES, seed=1)
        signature.update(list(each))
        found.append(signature.digest())
    return found


PEERS: dict[str, Callable[[Sequence[str]], Any]] = {"polars_textproc": textproc, "datatrove": datatrove}
CUT_PEERS: dict[str, Callable[[Sequence[str], Split], Any]] = {"datasketch": datasketch, "rensa": rensa}


def _shingles(texts: Sequence[str]) -> str:
    counts = {"ours": len(shingles(*word_hashes(text_column(texts)), WORDS)[0])}
    counts |= {name: sum(map(len, python_shingles(texts, split))) for name, split in SPLITS.items()}
    told = ", ".join(f"{count:,} ({name})" for name, count in counts.items())
    return f"{NAME}: shingles {told}, of {len(texts):,} documents"


# --- the whole ------------------------------------------------------------------------------------------------------


def _whole(texts: Sequence[str], options: Options, report: Report) -> None:
    kinds = {"as they are": list(texts), "a near-copy of every third": with_copies(texts)}
    for kind, documents in kinds.items():
        size = sum(len(text.encode()) for text in documents)
        results = [deduplicated(documents) for _ in range(options.rounds + 1)][1:]
        rate = size / 1e9 / (statistics.median(seconds for seconds, _ in results) / 3600)
        dropped = results[0][1]
        report.alone(f"{WHOLE}, {kind}", rate, "GB/core-hour", LEAST_GB)
        report.checked.append(
            f"{WHOLE}, {kind}: {dropped:,} of {len(documents):,} documents dropped, {size / 1e6:,.0f} MB"
        )


def with_copies(texts: Sequence[str]) -> list[str]:
    """The texts, and after every third a copy of it in which one word in fifty is another."""
    chance = random.Random(0)
    found = []
    for number, text in enumerate(texts):
        found.append(text)
        if number % 3 == 0:
            pieces = re.split(r"(\s+)", text)
            for at in range(0, len(pieces), 2):
                if chance.random() < 0.02:
                    pieces[at] = f"edit{chance.randrange(1000)}"
            found.append("".join(pieces))
    return found


def deduplicated(texts: Sequence[str]) -> tuple[float, int]:
    """Seconds of the pass in a run of the engine in this process, and how many documents it dropped."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": text_column(texts)}), f"{folder}/documents.parquet", row_group_size=2048)
        recipe = Path(folder, "recipe.yaml")
        recipe.write_text(
            "name: dedup\nsources:\n  - name: documents\n"
            f"    parquet: {{path: {folder}, glob: ['*.parquet']}}\nstages:\n  - minhash_dedup\n"
        )
        outcome = run_recipe(str(recipe), f"{folder}/runs", workers=0)
    planned = next(p for p in outcome.plan.passes if p.kind == "corpus")
    result = outcome.results[planned.digest]
    return result.seconds, result.total("minhash_dedup").dropped


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
