"""Which stretches of at least N symbols several documents share, by suffix array (Manber and Myers 1993).

Sorted suffixes that agree in their first N symbols are neighbours, so all occurrences of a stretch are one run of the
array: the document with the lowest id owns it, the others repeat it. Equality is that of the symbols themselves. Pieces
of text that do not fit into one array are taken two arrays' worth at a time, every pair of them: exact, in bounded memory,
and slower only where a single page repeats that much. libdivsufsort sorts some 20 MB/s.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U64 = npt.NDArray[np.uint64]
NOBODY = np.uint64(0xFFFFFFFFFFFFFFFF)


def owners(symbols: npt.NDArray[Any], offsets: I64, low: U64, high: U64, least: int, shard: int) -> U64:
    """uint64[symbols]: for each stretch of `least` symbols that begins here, within its piece, and that several documents
    have, the lowest id among them; `NOBODY` elsewhere.

    Piece i is `symbols[offsets[i]:offsets[i + 1]]` (uint8, or int32 of at least 0), found in documents of which `low[i]` and
    `high[i]` are the lowest and highest id. `shard`: symbols in one suffix array, about.
    """
    found = np.full(len(symbols), NOBODY, np.uint64)
    bounds = _shards(offsets, shard)
    if len(bounds) == 2:
        _own(symbols, offsets, low, high, least, found)
        return found
    spans = list(zip(bounds[:-1], bounds[1:], strict=True))
    for (a, b), (c, d) in combinations(spans, 2):
        pieces = np.r_[a:b, c:d]
        lengths = np.diff(offsets)[pieces]
        here = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        where = np.concatenate([np.arange(offsets[a], offsets[b]), np.arange(offsets[c], offsets[d])])
        result = np.full(len(where), NOBODY, np.uint64)
        _own(symbols[where], here, low[pieces], high[pieces], least, result)
        found[where] = np.minimum(found[where], result)
    return found


def _shards(offsets: I64, shard: int) -> list[int]:
    """Cuts pieces into runs of about half a shard each, since two runs share one array; one run if all fit into one."""
    if offsets[-1] <= shard or len(offsets) <= 2:
        return [0, len(offsets) - 1]
    marks = np.arange(0, int(offsets[-1]), max(shard // 2, 1))
    starts = np.unique(np.searchsorted(offsets[:-1], marks, side="left"))
    return [*starts[starts < len(offsets) - 1].tolist(), len(offsets) - 1]


def _own(symbols: npt.NDArray[Any], offsets: I64, low: U64, high: U64, least: int, found: U64) -> None:
    if not len(symbols):
        return
    from pydivsufsort import divsufsort

    suffixes = divsufsort(np.ascontiguousarray(symbols)).astype(np.int32, copy=False)
    piece = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    _runs(suffixes, _agreeing(symbols, suffixes, least), piece, offsets, low, high, least, found)


@kernel
def _agreeing(symbols: npt.NDArray[Any], suffixes: I32, least: int) -> npt.NDArray[np.bool_]:
    """bool[n]: whether suffix r of the array agrees with the one before it in `least` symbols (Kasai et al. 2001)."""
    n = len(symbols)
    rank = np.empty(n, np.int32)
    for r in range(n):
        rank[suffixes[r]] = r
    agree = np.zeros(n, np.bool_)
    common = 0
    for i in range(n):
        r = rank[i]
        if r == 0:
            common = 0
            continue
        j = suffixes[r - 1]
        while i + common < n and j + common < n and symbols[i + common] == symbols[j + common]:
            common += 1
        agree[r] = common >= least
        common = max(common - 1, 0)
    return agree


@kernel
def _runs(
    suffixes: I32, agree: npt.NDArray[np.bool_], piece: I32, offsets: I64, low: U64, high: U64, least: int, found: U64
) -> None:
    n = len(suffixes)
    begin = 0
    while begin < n:
        end = begin + 1
        while end < n and agree[end]:
            end += 1
        lowest, highest = NOBODY, np.uint64(0)
        for r in range(begin, end):
            at = suffixes[r]
            # Pieces lie one behind the other: a stretch that runs over the end of its piece is none.
            if at + least <= offsets[piece[at] + 1]:
                lowest = min(lowest, low[piece[at]])
                highest = max(highest, high[piece[at]])
        if lowest < highest:
            for r in range(begin, end):
                at = suffixes[r]
                if at + least <= offsets[piece[at] + 1]:
                    found[at] = min(found[at], lowest)
        begin = end
