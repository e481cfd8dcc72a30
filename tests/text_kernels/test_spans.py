"""Splicing, winnowing and hashed lines against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.fingerprints.line_hashes import lines
from eyas.text_kernels.fingerprints.winnowing import fingerprints, gram
from eyas.text_kernels.splice import splice


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@settings(max_examples=200, deadline=None)
@given(twin.columns(), st.sampled_from(["", "…", "[cut]"]), st.data())
def test_splice_cuts_what_slices_cut(case: tuple[list[str], pa.Array], filler: str, data: st.DataObject) -> None:
    documents, array = case
    cuts, expected = [], []
    for text in documents:
        borders = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
        if len(borders) % 2:
            borders = borders[1:]
        cuts.append([len(text[:at].encode()) for at in borders] or data.draw(st.sampled_from([None, []])))
        left, at = "", 0
        for start, end in zip(borders[::2], borders[1::2], strict=True):
            left, at = left + text[at:start] + filler, end
        expected.append(left + text[at:])
    assert splice(array, pa.array(cuts, pa.list_(pa.int64())), filler).to_pylist() == expected


@pytest.mark.parametrize("spans", [[2, 1], [0, 4, 3, 5], [0, 99], [1, 2], [-1, 0]])
def test_wrong_spans_are_refused(spans: list[int]) -> None:
    with pytest.raises(ValueError, match="text 1: spans"):
        splice(column("", "éabcd"), pa.array([None, spans], pa.list_(pa.int64())))


def test_a_span_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="without an end"):
        splice(column("abc"), pa.array([[1]], pa.list_(pa.int64())))


def winnowed(symbols: list[int], least: int) -> set[tuple[int, ...]]:
    flat, offsets = np.array(symbols, np.uint8), np.array([0, len(symbols)], np.int64)
    _, positions, _ = fingerprints(flat, offsets, least)
    k = gram(least)
    assert positions.tolist() == sorted(set(positions.tolist()))
    return {tuple(symbols[p : p + k]) for p in positions.tolist()}


@settings(max_examples=300, deadline=None)
@given(*[st.lists(st.integers(0, 3), max_size=30) for _ in range(5)], st.integers(2, 12))
def test_a_shared_stretch_shares_a_fingerprint_whatever_surrounds_it(
    a: list[int], b: list[int], c: list[int], d: list[int], stretch: list[int], least: int
) -> None:
    if len(stretch) < least:
        assert not winnowed(stretch, least)
        return
    inside = winnowed(stretch, least)
    assert inside <= winnowed(a + stretch + b, least) | inside
    assert inside & winnowed(a + stretch + b, least) & winnowed(c + stretch + d, least)


def test_every_window_holds_a_fingerprint_and_few_are_selected() -> None:
    symbols = np.random.default_rng(0).integers(0, 256, 20_000).astype(np.uint8)
    hashes, positions, offsets = fingerprints(symbols, np.array([0, 9_000, 20_000]), 100)
    assert offsets[1] > 0 and offsets[2] == len(hashes) == len(positions)
    for first, last, size in ((0, offsets[1], 9_000), (offsets[1], offsets[2], 11_000)):
        mine = positions[first:last]
        assert np.diff(mine).max() <= 51 and mine[0] <= 50 and mine[-1] >= size - 100
    assert len(positions) < 1.1 * 20_000 * 2 / 52
    same, _, _ = fingerprints(np.zeros(10_000, np.uint8), np.array([0, 10_000]), 100)
    assert len(same) < 250 and len(set(same.tolist())) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", " b ", "é\u2003x", "\n", "\n\n", "\xad", "A", "5"]), max_size=12), max_size=4
    )
)
def test_lines_hash_alike_if_their_words_are_alike(pieces: list[list[str]]) -> None:
    documents = ["".join(piece) for piece in pieces]
    found = lines(column(*documents), paragraphs=False)
    keys: dict[tuple[int, int], str] = {}
    texts: dict[str, tuple[int, int]] = {}
    for number, text in enumerate(documents):
        data = text.encode()
        mine = range(found.offsets[number], found.offsets[number + 1])
        spans = [(found.start[i], found.end[i]) for i in mine]
        content = [" ".join(data[a:b].decode().replace("\xad", "").lower().split()) for a, b in spans]
        expected = [" ".join(line.replace("\xad", "").lower().split()) for line in text.split("\n")]
        assert content == [line for line in expected if line]
        for i, line in zip(mine, content, strict=True):
            key = (int(found.high[i]), int(found.low[i]))
            assert found.characters[i] == len(line)
            assert keys.setdefault(key, line) == line and texts.setdefault(line, key) == key
