"""Fingerprints of sequences: two that share a span of `least` symbols share one (winnowing, Schleimer et al. 2003).

Of every window of hashes of k-grams the least is selected, so a span of `least = k + window - 1` symbols selects the same
fingerprint wherever it stands, whatever surrounds it. The trade: with k = least / 2 one symbol in least / 4 is selected, and
repeats shorter than `least`, but not than k, propose pairs in vain. Symbols are bytes, or hashes of words.

An example of 12 bytes (`·` is a space) and `least` 4, so k = 2 and a window has 3 hashes. `rank` orders the hashes of the
2-grams that begin at each byte; in the windows 1 3 5, 3 5 0, 5 0 6 … the least is selected:

    symbol    t  o  ·  b  e  ·  t  o  ·  b  e  !
    rank      1  3  5  0  6  4  1  3  5  0  2
    selected  *  .  .  *  .  .  *  .  .  *  .

Both times `to be` is written, `to` and `be` are selected.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.hashing import finish
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I64, U64

_BASE: Final = np.uint64(0x9E6C63D0876A9A47)
"""Odd, and must never change. Modulo 2^64 some texts collide by construction; callers compare the text of each pair."""


def gram(least: int) -> int:
    """Symbols in a k-gram: half of the shortest span that must be found."""
    return (least + 1) // 2


def fingerprints(symbols: npt.NDArray[Any], offsets: I64, least: int) -> tuple[U64, I64, I64]:
    """`(hash, position, doc_offsets)` of what is selected: k-gram `symbols[p:p + k]` of document i at position p from the
    document's beginning, for `doc_offsets[i]` to `doc_offsets[i + 1]`. Documents shorter than `least` have none."""
    # At most one selection for each window; a window begins at every symbol but the last least - 1.
    room = int(np.maximum(np.diff(offsets) - least + 1, 0).sum())
    hashes, positions = np.empty(room, np.uint64), np.empty(room, np.int64)
    doc_offsets = np.zeros(len(offsets), np.int64)
    k = gram(least)
    used = _winnow(symbols, offsets, k, least - k + 1, hashes, positions, doc_offsets)
    return hashes[:used].copy(), positions[:used].copy(), doc_offsets


@kernel
def _winnow(
    symbols: npt.NDArray[Any], offsets: I64, k: int, window: int, hashes: U64, positions: I64, doc_offsets: I64
) -> int:
    """Fills `hashes` and `positions` with what is selected, in order; how many there are."""
    used = 0
    power = np.uint64(1)
    for _ in range(k):
        power *= _BASE
    # The window as a queue of candidates whose hashes ascend: its head is the least. A ring, as long as a window.
    value, place = np.empty(window + 1, np.uint64), np.empty(window + 1, np.int64)
    for document in range(len(offsets) - 1):
        begin, size = offsets[document], offsets[document + 1] - offsets[document]
        head = tail = 0
        last = -1
        rolling = np.uint64(0)
        for i in range(size):
            # Phase 1: the hash of the k-gram that ends here, from that of the one before.
            rolling = rolling * _BASE + np.uint64(symbols[begin + i]) + np.uint64(1)
            if i >= k:
                rolling -= (np.uint64(symbols[begin + i - k]) + np.uint64(1)) * power
            start = i - k + 1
            if start < 0:
                continue
            hashed = finish(rolling)
            # Phase 2: the queue. A new hash drops all greater ones before it: they can be the least of no window any more.
            # Of equal hashes the one selected before stays, and then the rightmost is: a run of one symbol selects few.
            while tail > head and value[(tail - 1) % (window + 1)] > hashed:
                tail -= 1
            value[tail % (window + 1)] = hashed
            place[tail % (window + 1)] = start
            tail += 1
            # Phase 3: the head leaves with its window; what is then the head is selected, once.
            while place[head % (window + 1)] <= start - window:
                head += 1
            if start >= window - 1 and place[head % (window + 1)] != last:
                while head + 1 < tail and value[(head + 1) % (window + 1)] == value[head % (window + 1)]:
                    head += 1
                last = place[head % (window + 1)]
                hashes[used] = value[head % (window + 1)]
                positions[used] = last
                used += 1
        doc_offsets[document + 1] = used
    return used
