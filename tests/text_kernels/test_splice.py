"""Splicing against slices of Python strings."""

from __future__ import annotations

import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

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
