"""Verification against a naive twin over Python sets, and the promises that it makes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.dedup.verify import verify

CLUSTERS = st.lists(st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=1, max_size=6), max_size=4)
THRESHOLDS = st.sampled_from([0.0, 0.1, 0.3, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]) | st.floats(0, 1)


def jaccard(a: set[int], b: set[int]) -> float:
    return len(a & b) / len(a | b)


def twin(clusters: list[list[set[int]]], threshold: float) -> tuple[list[int], list[float], list[int]]:
    """Each document joins the first anchor of its cluster that it resembles, or becomes an anchor."""
    anchor, similarity, number = [], [], 0
    for cluster in clusters:
        anchors: list[int] = []
        for document in cluster:
            alike = ((a, jaccard(document, cluster[a])) for a in anchors)
            at, value = next(((a, j) for a, j in alike if j >= threshold), (-1, math.nan))
            if at < 0:
                at = len(anchor) - number
                anchors.append(at)
            anchor.append(number + at)
            similarity.append(value)
        number += len(cluster)
    return anchor, similarity, [anchor.count(a) for a in anchor]


def call(clusters: list[list[set[int]]], threshold: float) -> tuple[list[int], list[float], list[int]]:
    sets = [sorted(document) for cluster in clusters for document in cluster]
    flat = np.array([item for document in sets for item in document], np.uint64)
    offsets = np.concatenate([[0], np.cumsum([len(document) for document in sets])]).astype(np.int64)
    roots = np.array([n for n, cluster in enumerate(clusters) for _ in cluster], np.uint64)
    order = np.arange(len(sets))
    anchor, similarity, size = verify(flat, offsets, roots, order, threshold)
    return anchor.tolist(), similarity.tolist(), size.tolist()


@settings(deadline=None, max_examples=300)
@given(CLUSTERS, THRESHOLDS)
def test_anchors_similarities_and_sizes_are_those_of_the_twin(clusters: list[list[set[int]]], threshold: float) -> None:
    anchor, similarity, size = call(clusters, threshold)
    expected = twin(clusters, threshold)
    assert anchor == expected[0]
    assert similarity == pytest.approx(expected[1], nan_ok=True, abs=0)
    assert size == expected[2]


def test_a_similarity_of_exactly_the_threshold_is_enough() -> None:
    """In floating point 0.28 * 25 is more than 7: a bound computed that way loses pairs of exactly 0.28."""
    for union in range(2, 60):
        for common in range(1, union):
            anchor, similarity, _ = call([[set(range(union)), set(range(common))]], common / union)
            assert (anchor, similarity[1]) == ([0, 0], common / union)


def test_the_order_says_who_stays() -> None:
    flat, offsets = np.array([1, 2, 1, 2, 1, 2], np.uint64), np.array([0, 2, 4, 6])
    anchor, _, size = verify(flat, offsets, np.zeros(3, np.uint64), np.array([2, 0, 1]), 0.5)
    assert anchor.tolist() == [2, 2, 2]
    assert size.tolist() == [3, 3, 3]
