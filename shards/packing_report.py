"""The packing report: the cost of each way of packing for the same documents.

The cost is rows, padding, documents split and tokens lost, by best fit, first fit, concatenation and greedy cropping. The
trade: every group is packed four times, in lengths only, which takes a hundredth of the time of encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eyas.shards.packing import I64, cropped, pack

Ways = dict[str, dict[str, int]]
CROPPED = "greedy cropping"


def comparison(lengths: I64, sequence_length: int) -> Ways:
    """For each way of packing: `rows`, `padding` and `lost` (tokens), `split` (documents), and `short_split`: those of
    them that would fit into a row."""
    ways: Ways = {}
    total = int(lengths.sum())
    for how in ("best_fit", "first_fit", "concat"):
        packed = pack(lengths, sequence_length, how)
        pieces = np.bincount(packed.document, minlength=len(lengths)) > 1
        ways[how] = {
            "rows": packed.rows,
            "padding": packed.rows * sequence_length - int(packed.length.sum()),
            "split": int(pieces.sum()),
            "short_split": int((pieces & (lengths <= sequence_length)).sum()),
            "lost": total - int(packed.length.sum()),
        }
    lost, rows = cropped(lengths, sequence_length)
    ways[CROPPED] = {
        "rows": rows,
        "padding": rows * sequence_length - (total - lost),
        "split": 0,
        "short_split": 0,
        "lost": lost,
    }
    return ways


def histogram(lengths: I64) -> list[int]:
    """The number of documents of 1, 2-3, 4-7, 8-15 … tokens. Those of 0 tokens count with those of 1."""
    powers = np.floor(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    return [int(count) for count in np.bincount(powers)]


def added(parts: Iterable[Mapping[str, Any]]) -> tuple[Ways, list[int]]:
    """Sums of `comparison` and `histogram` over groups, from entries that hold them as `ways` and `histogram`."""
    ways: Ways = {}
    lengths: list[int] = []
    for part in parts:
        for how, counts in part["ways"].items():
            sums = ways.setdefault(how, dict.fromkeys(counts, 0))
            for name, value in counts.items():
                sums[name] += value
        more = part["histogram"]
        lengths = [a + b for a, b in zip(_padded(lengths, len(more)), _padded(more, len(lengths)), strict=True)]
    return ways, lengths


def _padded(values: list[int], length: int) -> list[int]:
    return values + [0] * max(length - len(values), 0)
