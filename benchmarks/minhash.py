"""MinHash signatures from text to 112 lanes, documents/s on one core: ours against datasketch, and rensa if it is there.

Peers are given what suits them: words by `str.split`, which makes half as many shingles of source code as ours by
UAX #29, and permutations that are drawn once for all documents. Hash functions differ, so signatures cannot be equal;
what they are worth is tested in tests/filters/dedup.

    python -m benchmarks.minhash --megabytes 10 --json minhash.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from filters.dedup.signatures import lanes, signatures
from text_kernels.shingles import shingles
from text_kernels.words import word_hashes

NAME = "MinHash signatures, text to 112 lanes"
LANES = 112
"""14 bands of 8 rows, as in FineWeb."""
WORDS = 5
LEAST_RATIO = 5.0


def measure(options: Options) -> Report:
    texts = read_texts(options)
    peers: dict[str, Callable[[Sequence[str]], Any]] = {"datasketch": datasketch, "rensa": rensa}
    contenders: dict[str, Callable[[], Any]] = {"ours": partial(ours, text_column(texts))}
    contenders |= {name: partial(peer, texts) for name, peer in peers.items() if installed(name)}
    timed = in_turns(contenders, options.rounds)
    rate = timed.rate("ours", len(texts))
    report = Report()
    for name in peers:
        if name in contenders:
            report.against(NAME, rate, timed.rate(name, len(texts)), name, "docs/s", LEAST_RATIO)
        else:
            report.skip(NAME, rate, name, "docs/s", LEAST_RATIO, "is not installed")
    report.checked.append(_shingles_of_both(texts))
    return report


def ours(text: pa.LargeStringArray) -> npt.NDArray[np.uint32]:
    """What `minhash_dedup` does before banding: uint32[documents, 112]."""
    a, b = lanes(LANES, seed=1)
    hashes, offsets = word_hashes(text)
    return signatures(*shingles(hashes, offsets, WORDS), a, b)


def python_shingles(texts: Sequence[str]) -> Iterator[set[str]]:
    """What the peers' own examples do."""
    for text in texts:
        words = text.lower().split()
        yield {" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))}


def datasketch(texts: Sequence[str]) -> list[Any]:
    from datasketch import MinHash

    encoded = ([shingle.encode() for shingle in found] for found in python_shingles(texts))
    return [signature.digest() for signature in MinHash.generator(encoded, num_perm=LANES)]


def rensa(texts: Sequence[str]) -> list[Any]:
    from rensa import RMinHash

    found = []
    for each in python_shingles(texts):
        signature = RMinHash(num_perm=LANES, seed=1)
        signature.update(list(each))
        found.append(signature.digest())
    return found


def _shingles_of_both(texts: Sequence[str]) -> str:
    our_count = len(shingles(*word_hashes(text_column(texts)), WORDS)[0])
    their_count = sum(map(len, python_shingles(texts)))
    return f"{NAME}: {our_count:,} shingles of ours, {their_count:,} of a peer, in {len(texts):,} documents"


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
