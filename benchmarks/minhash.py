"""MinHash signatures from text to 112 lanes, documents/s on one core: ours against datasketch, and rensa if it is there.

Each peer twice: with words by a regex, about as many as ours by UAX #29, so that both sides sketch sets of one size;
and by `str.split`, as in the peers' own examples, which makes 40 % fewer shingles of source code. Datasketch
draws its permutations once for all documents. Hash functions differ, so signatures cannot be equal; what ours are
worth is tested in tests/filters/dedup.

    python -m benchmarks.minhash --megabytes 10 --json minhash.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from filters.dedup.signatures import lanes, signatures
from text_kernels.shingles import shingles
from text_kernels.words import word_hashes

NAME = "MinHash, text to 112 lanes"
LANES = 112
"""14 bands of 8 rows, as in FineWeb."""
WORDS = 5
LEAST_RATIO = 5.0

Split = Callable[[str], list[str]]
SPLITS: dict[str, Split] = {"regex words": re.compile(r"\w+|[^\w\s]").findall, "str.split": str.split}


def measure(options: Options) -> Report:
    texts = read_texts(options)
    contenders: dict[str, Callable[[], Any]] = {"ours": partial(ours, text_column(texts))}
    for module, sketch in PEERS.items():
        if installed(module):
            contenders |= {f"{module}, {name}": partial(sketch, texts, split) for name, split in SPLITS.items()}
    timed = in_turns(contenders, options.rounds)
    rate = timed.rate("ours", len(texts))
    report = Report()
    for name in contenders:
        if name != "ours":
            report.against(NAME, rate, timed.rate(name, len(texts)), name, "docs/s", LEAST_RATIO)
    for module in PEERS:
        if not installed(module):
            report.skip(NAME, rate, module, "docs/s", LEAST_RATIO, "is not installed")
    report.checked.append(_shingles(texts))
    return report


def ours(text: pa.LargeStringArray) -> npt.NDArray[np.uint32]:
    """What `minhash_dedup` does before banding: uint32[documents, 112]."""
    a, b = lanes(LANES, seed=1)
    hashes, offsets = word_hashes(text)
    return signatures(*shingles(hashes, offsets, WORDS), a, b)


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


PEERS: dict[str, Callable[[Sequence[str], Split], Any]] = {"datasketch": datasketch, "rensa": rensa}


def _shingles(texts: Sequence[str]) -> str:
    counts = {"ours": len(shingles(*word_hashes(text_column(texts)), WORDS)[0])}
    counts |= {name: sum(map(len, python_shingles(texts, split))) for name, split in SPLITS.items()}
    told = ", ".join(f"{count:,} ({name})" for name, count in counts.items())
    return f"{NAME}: shingles {told}, of {len(texts):,} documents"


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
