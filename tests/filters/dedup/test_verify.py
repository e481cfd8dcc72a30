"""Verification against a naive twin over Python sets, and the promises that it makes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.dedup.verify import BINS, TRIES, groups, verify

BANDS = 2
DOCUMENT = st.tuples(st.frozensets(st.integers(0, 12), min_size=1), st.tuples(st.integers(0, 2), st.integers(3, 5)))
CLUSTERS = st.lists(st.lists(DOCUMENT, min_size=1, max_size=6), max_size=4)
THRESHOLDS = st.sampled_from([0.0, 0.1, 0.3, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]) | st.floats(0, 1)

Document = tuple[frozenset[int], tuple[int, int]]
"""A shingle set, and a key for each band."""
Found = tuple[list[int], list[float], list[int]]


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b)


def twin(clusters: list[list[Document]], threshold: float, fixed: list[bool]) -> Found:
    """Each document joins the most similar anchor of its cluster with which it shares a key, or becomes an anchor."""
    anchor: list[int] = []
    similarity: list[float] = []
    for cluster in clusters:
        begin = len(anchor)
        anchors: list[int] = []
        for document, (shingles, keys) in enumerate(cluster):
            near = [a for a in anchors if set(keys) & set(cluster[a][1])]
            values = [(jaccard(shingles, cluster[a][0]), -a) for a in near]
            value, at = max(values, default=(-1.0, 0))
            joins = value >= threshold and not fixed[begin + document]
            if not joins:
                anchors.append(document)
            anchor.append(begin - at if joins else begin + document)
            similarity.append(value if joins else math.nan)
    return anchor, similarity, [anchor.count(a) for a in anchor]


def call(clusters: list[list[Document]], threshold: float, fixed: list[bool] | None = None) -> Found:
    documents = [document for cluster in clusters for document in cluster]
    sets = [sorted(shingles) for shingles, _ in documents]
    flat = np.array([item for items in sets for item in items], np.uint64)
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in sets])]).astype(np.int64)
    roots = np.array([n for n, cluster in enumerate(clusters) for _ in cluster], np.uint64)
    group, count = groups(roots, np.array([key for _, keys in documents for key in keys], np.uint64), BANDS)
    stays = np.array(fixed if fixed is not None else [False] * len(sets), np.bool_)
    order, weight = np.arange(len(sets)), np.ones(len(sets), np.uint32)
    anchor, similarity, size, histogram = verify(flat, offsets, order, group, count, BANDS, threshold, weight, stays)
    assert len(histogram) == BINS and histogram.sum() >= (~np.isnan(similarity)).sum()
    return anchor.tolist(), similarity.tolist(), size.tolist()


@settings(deadline=None, max_examples=300)
@given(CLUSTERS, THRESHOLDS, st.data())
def test_anchors_similarities_and_sizes_are_those_of_the_twin(
    clusters: list[list[Document]], threshold: float, data: st.DataObject
) -> None:
    documents = sum(map(len, clusters))
    fixed = data.draw(st.lists(st.booleans(), min_size=documents, max_size=documents))
    anchor, similarity, size = call(clusters, threshold, fixed)
    expected = twin(clusters, threshold, fixed)
    assert anchor == expected[0]
    assert similarity == pytest.approx(expected[1], nan_ok=True, abs=0)
    assert size == expected[2]


def test_a_similarity_of_exactly_the_threshold_is_enough() -> None:
    """In floating point 0.28 * 25 is more than 7: a bound computed that way loses pairs of exactly 0.28."""
    for union in range(2, 60):
        for common in range(1, union):
            pair = [(frozenset(range(union)), (0, 3)), (frozenset(range(common)), (1, 3))]
            anchor, similarity, _ = call([pair], common / union)
            assert (anchor, similarity[1]) == ([0, 0], common / union)


def test_the_order_says_who_stays_and_weights_add_up() -> None:
    flat, offsets = np.array([1, 2, 1, 2, 1, 2], np.uint64), np.array([0, 2, 4, 6])
    group, count = groups(np.zeros(3, np.uint64), np.zeros(3, np.uint64), 1)
    weight = np.array([1, 10, 5], np.uint32)
    order = np.array([2, 0, 1])
    anchor, _, size, _ = verify(flat, offsets, order, group, count, 1, 0.5, weight, np.zeros(3, np.bool_))
    assert anchor.tolist() == [2, 2, 2]
    assert size.tolist() == [16, 16, 16]


def test_keys_of_other_clusters_never_meet() -> None:
    group, count = groups(np.array([1, 2, 1], np.uint64), np.array([7, 8, 7, 9, 7, 9], np.uint64), 2)
    assert count == 5 and group[0] == group[4]
    assert len({*group.tolist()}) == 5


def test_where_a_key_is_everybody_s_only_the_latest_anchors_are_tried() -> None:
    """The copy of an early anchor is found by a rarer key, not by the common one."""
    others = [(frozenset({1000 + i}), (0, 100 + i)) for i in range(TRIES + 5)]
    rare, common = (frozenset({1000}), (0, 100)), (frozenset({1001}), (0, 99))
    anchor, _, _ = call([[*others, rare, common]], 0.9)
    assert anchor[-2:] == [0, len(others) + 1]
    assert call([[*others[-3:], (frozenset({1000 + TRIES + 2}), (0, 99))]], 0.9)[0][-1] == 0
