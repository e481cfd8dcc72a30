"""Finds the spans of at least N symbols that several documents share, by suffix array (Manber and Myers 1993).

Sorted suffixes that agree in their first N symbols are neighbours, so all occurrences of a span are one run of the array:
the document with the lowest id owns the span, the others repeat it. The symbols themselves are compared, not hashes. Pieces
of text that do not fit into one array are cut into shards, and every pair of shards is searched: exact, in bounded memory,
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
    """The owner of the span of `least` symbols at each place, uint64[symbols]: the lowest id of the documents that have it.

    It is `NOBODY` where the span leaves its piece, or only one document has it. Piece i is
    `symbols[offsets[i]:offsets[i + 1]]` (uint8, or int32 of at least 0) and occurs in documents of which `low[i]` and
    `high[i]` are the lowest and highest id. `shard`: symbols in one suffix array, about.
    """
    owner = np.full(len(symbols), NOBODY, np.uint64)
    bounds = _shards(offsets, shard)
    if len(bounds) == 2:
        _own(symbols, offsets, low, high, least, owner)
        return owner
    spans = list(zip(bounds[:-1], bounds[1:], strict=True))
    for (a, b), (c, d) in combinations(spans, 2):
        pieces = np.r_[a:b, c:d]
        lengths = np.diff(offsets)[pieces]
        pair_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        places = np.concatenate([np.arange(offsets[a], offsets[b]), np.arange(offsets[c], offsets[d])])
        pair_owner = np.full(len(places), NOBODY, np.uint64)
        _own(symbols[places], pair_offsets, low[pieces], high[pieces], least, pair_owner)
        owner[places] = np.minimum(owner[places], pair_owner)
    return owner


def _shards(offsets: I64, shard: int) -> list[int]:
    """Bounds of runs of pieces, about half a shard each, since two runs share one array; one run if all fit into one."""
    if offsets[-1] <= shard or len(offsets) <= 2:
        return [0, len(offsets) - 1]
    marks = np.arange(0, int(offsets[-1]), max(shard // 2, 1))
    starts = np.unique(np.searchsorted(offsets[:-1], marks, side="left"))
    return [*starts[starts < len(offsets) - 1].tolist(), len(offsets) - 1]


def _own(symbols: npt.NDArray[Any], offsets: I64, low: U64, high: U64, least: int, owner: U64) -> None:
    """Fills `owner` by one suffix array."""
    if not len(symbols):
        return
    from pydivsufsort import divsufsort

    suffixes = divsufsort(np.ascontiguousarray(symbols)).astype(np.int32, copy=False)
    piece = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    _runs(suffixes, _agreeing(symbols, suffixes, least), piece, offsets, low, high, least, owner)


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
    suffixes: I32, agree: npt.NDArray[np.bool_], piece: I32, offsets: I64, low: U64, high: U64, least: int, owner: U64
) -> None:
    """Fills `owner` run by run: a run is a suffix and all that follow it and `agree`."""
    n = len(suffixes)
    begin = 0
    while begin < n:
        end = begin + 1
        while end < n and agree[end]:
            end += 1
        lowest, highest = NOBODY, np.uint64(0)
        for r in range(begin, end):
            at = suffixes[r]
            # Pieces lie one behind the other: a span must not run over the end of its piece.
            if at + least <= offsets[piece[at] + 1]:
                lowest = min(lowest, low[piece[at]])
                highest = max(highest, high[piece[at]])
        if lowest < highest:
            for r in range(begin, end):
                at = suffixes[r]
                if at + least <= offsets[piece[at] + 1]:
                    owner[at] = min(owner[at], lowest)
        begin = end
