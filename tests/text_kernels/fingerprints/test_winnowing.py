"""Winnowing: its guarantee, its density, and the example that its module draws."""

from __future__ import annotations

import numpy as np
import word_twins as twin
from drawings import drawing
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.fingerprints import winnowing
from eyas.text_kernels.fingerprints.winnowing import fingerprints, gram
from eyas.text_kernels.types import Bytes


def winnowed(symbols: list[int], least: int) -> set[tuple[int, ...]]:
    flat, offsets = np.array(symbols, np.uint8), np.array([0, len(symbols)], np.int64)
    _, positions, _ = fingerprints(flat, offsets, least)
    k = gram(least)
    assert positions.tolist() == sorted(set(positions.tolist()))
    return {tuple(symbols[p : p + k]) for p in positions.tolist()}


@settings(max_examples=300, deadline=None)
@given(*[st.lists(st.integers(0, 3), max_size=30) for _ in range(5)], st.integers(2, 12))
def test_a_shared_span_shares_a_fingerprint_whatever_surrounds_it(
    a: list[int], b: list[int], c: list[int], d: list[int], span: list[int], least: int
) -> None:
    if len(span) < least:
        assert not winnowed(span, least)
        return
    inside = winnowed(span, least)
    assert inside <= winnowed(a + span + b, least) | inside
    assert inside & winnowed(a + span + b, least) & winnowed(c + span + d, least)


def test_every_window_holds_a_fingerprint_and_few_are_selected() -> None:
    symbols = np.random.default_rng(0).integers(0, 256, 20_000).astype(np.uint8)
    hashes, positions, offsets = fingerprints(symbols, np.array([0, 9_000, 20_000]), 100)
    assert offsets[1] > 0 and offsets[2] == len(hashes) == len(positions)
    for first, last, size in ((0, offsets[1], 9_000), (offsets[1], offsets[2], 11_000)):
        selected = positions[first:last]
        assert np.diff(selected).max() <= 51 and selected[0] <= 50 and selected[-1] >= size - 100
    assert len(positions) < 1.1 * 20_000 * 2 / 52
    same, _, _ = fingerprints(np.zeros(10_000, np.uint8), np.array([0, 10_000]), 100)
    assert len(same) < 250 and len(set(same.tolist())) == 1


def test_the_example_of_the_module_is_true() -> None:
    rows = drawing(winnowing.__doc__, "symbol", "rank", "selected")
    symbols = np.frombuffer("".join(rows["symbol"]).replace("·", " ").encode(), np.uint8)
    assert len(symbols) == 12
    hashes, positions, _ = fingerprints(symbols, np.array([0, 12], np.int64), 4)
    assert gram(4) == 2
    assert [place for place, mark in enumerate(rows["selected"]) if mark == "*"] == positions.tolist()
    pairs = [bytes(symbols[i : i + 2]) for i in range(11)]
    every = {pair: int(value) for pair, value in zip(pairs, all_hashes(symbols), strict=True)}
    order = sorted(set(every.values()))
    assert [order.index(every[pair]) for pair in pairs] == [int(rank) for rank in rows["rank"]]
    assert [every[pairs[place]] for place in positions.tolist()] == hashes.tolist()


def all_hashes(symbols: Bytes) -> list[int]:
    """The hash of each 2-gram, by its definition."""
    base = 0x9E6C63D0876A9A47
    sums = [(int(a) + 1) * base + int(b) + 1 for a, b in zip(symbols, symbols[1:], strict=False)]
    return [twin.finish(value % 2**64) for value in sums]
