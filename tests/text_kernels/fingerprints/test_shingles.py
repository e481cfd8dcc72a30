"""Shingles and their similarity: kernels against their twins."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.fingerprints.shingles import jaccard, shingles
from eyas.text_kernels.words.words import word_hashes


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=12), max_size=5), st.integers(1, 6))
def test_shingles_are_those_of_the_twin(documents: list[list[int]], n: int) -> None:
    hashes = np.array(list(chain(*documents)), np.uint64)
    doc_offsets = np.concatenate([[0], np.cumsum([len(d) for d in documents])]).astype(np.int64)
    found, offsets = shingles(hashes, doc_offsets, n)
    expected = [twin.shingles(document, n) for document in documents]
    assert found.tolist() == list(chain(*expected))
    assert np.diff(offsets).tolist() == [len(e) for e in expected]


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 20) | st.integers(0, 2**64 - 1)), st.sets(st.integers(0, 20)))
def test_jaccard_is_that_of_the_twin(a: set[int], b: set[int]) -> None:
    left, right = sorted(a), sorted(b)
    assert jaccard(np.array(left, np.uint64), np.array(right, np.uint64)) == twin.jaccard(left, right)


def test_short_documents_have_one_shingle_and_empty_ones_none() -> None:
    hashes, doc_offsets = word_hashes(column("", "one two", "a b c d e", "…"))
    assert np.diff(shingles(hashes, doc_offsets, 5)[1]).tolist() == [0, 1, 1, 1]
    with pytest.raises(ValueError, match="at least one word"):
        shingles(hashes, doc_offsets, 0)
