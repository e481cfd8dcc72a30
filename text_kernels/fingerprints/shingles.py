"""Sets of hashed word n-grams, and the Jaccard similarity of two sets, which verifies near-duplicates.

A document's shingles are sorted and without repetition, so Jaccard similarity is one merge. The trade: sorting costs
more than hashing (19 million shingles of 5 words a second together, on one core), and pays back at every comparison.
"""

from __future__ import annotations

import numpy as np

from eyas.text_kernels.hashing import SEED, finish, mix
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I64, U64


def shingles(hashes: U64, doc_offsets: I64, n: int) -> tuple[U64, I64]:
    """`(shingles, doc_offsets)` of the words' hashes: per document the hashes of its n-grams, ascending, each once.

    A document of fewer than n words, but not none, has one shingle of all its words. Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError(f"a shingle has at least one word, got n={n}")
    lengths = np.diff(doc_offsets)
    out = np.empty(int(np.where(lengths > 0, np.maximum(lengths - n + 1, 1), 0).sum()), np.uint64)
    offsets = np.zeros(len(doc_offsets), np.int64)
    _shingles(np.ascontiguousarray(hashes), np.ascontiguousarray(doc_offsets), n, out, offsets)
    used = int(offsets[-1]) if len(offsets) else 0
    # A view would keep the repeated ones' memory alive with it.
    return out if used == len(out) else out[:used].copy(), offsets


@kernel
def _shingles(hashes: U64, doc_offsets: I64, n: int, out: U64, offsets: I64) -> None:
    """Fills `out` document by document, and `offsets`."""
    used = 0
    for document in range(len(doc_offsets) - 1):
        first, last = doc_offsets[document], doc_offsets[document + 1]
        width = min(n, last - first)  # a short document has one shingle of all its words
        if width > 0:
            count = last - first - width + 1
            for i in range(count):
                state = SEED
                for j in range(first + i, first + i + width):
                    state = mix(state, hashes[j])
                out[used + i] = finish(state ^ np.uint64(width))
            used += _sort_unique(out[used : used + count])
        offsets[document + 1] = used


@kernel
def _sort_unique(values: U64) -> int:
    """Sorts in place and moves the distinct values to the front; how many there are."""
    values.sort()
    kept = 1
    for i in range(1, len(values)):
        if values[i] != values[kept - 1]:
            values[kept] = values[i]
            kept += 1
    return kept


@kernel
def jaccard(a_sorted: U64, b_sorted: U64) -> float:
    """|a ∩ b| / |a ∪ b| of two ascending arrays without repetition. 0 if both are empty: no text is no duplicate."""
    i = 0
    j = 0
    common = 0
    while i < len(a_sorted) and j < len(b_sorted):
        a, b = a_sorted[i], b_sorted[j]
        common += a == b
        i += a <= b
        j += b <= a
    union = len(a_sorted) + len(b_sorted) - common
    return common / union if union > 0 else 0.0
