"""Verifies candidates: compares each document with anchors by true Jaccard similarity, never along a chain of copies.

Within a cluster, in the given order, a document is compared with the anchors that share a band key with it, and joins the
most similar anchor if that is similar enough; a document that resembles none becomes an anchor and stays. n copies of one
page cost n comparisons. Members of one component that share no band are not compared: different documents around one
boilerplate would cost n²/2 otherwise, and the S-curve says how unlikely their similarity is. If more than `TRIES` anchors
share one key, only the latest are tried, for the same reason: a true copy shares other, rarer keys as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.filters.dedup.base import begins
from eyas.text_kernels.fingerprints.shingles import jaccard as jaccard_of
from eyas.text_kernels.jit import kernel

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
TRIES = 200
"""Anchors compared for each band of a document."""
BINS = 20
"""Bins of the histogram of best similarities: 0.00–0.05 … 0.95–1."""


def groups(roots: U64, keys: U64, bands: int) -> tuple[I64, int]:
    """`(group, count)`: int64[n * bands], equal where documents of one cluster have an equal band key, and the number of
    groups. `keys`: uint64[n * bands]. `roots`: the cluster of each of n documents."""
    cluster = np.repeat(roots, bands)
    order = np.lexsort((keys, cluster))
    cluster, keys = cluster[order], keys[order]
    new = begins(keys, cluster)
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(new) - 1
    return group, int(new.sum())


def verify(
    shingles: U64,
    offsets: I64,
    order: I64,
    group: I64,
    count: int,
    bands: int,
    threshold: float,
    weight: npt.NDArray[np.uint32],
    fixed: npt.NDArray[np.bool_],
) -> tuple[I64, npt.NDArray[np.float64], npt.NDArray[np.uint32], I64]:
    """For n documents: the position of each one's anchor, its Jaccard similarity with the anchor (NaN for anchors), the
    summed weight of all documents with that anchor; and a histogram (int64[BINS]) of the best similarity of each.

    `shingles[offsets[i]:offsets[i + 1]]`: the sorted shingle set of document i. `order`: positions, cluster by cluster, the
    document that should stay first. `group`, `count`: as `groups` returns them. `fixed`: documents that always stay.
    """
    documents = len(order)
    anchor = np.arange(documents)
    similarity = np.full(documents, np.nan)
    size = weight.copy()
    histogram = np.zeros(BINS, np.int64)
    _verify(shingles, offsets, order, group, count, bands, threshold, fixed, anchor, similarity, size, histogram)
    return anchor, similarity, size[anchor], histogram


@kernel
def _verify(
    shingles: U64,
    offsets: I64,
    order: I64,
    group: I64,
    count: int,
    bands: int,
    threshold: float,
    fixed: npt.NDArray[np.bool_],
    anchor: I64,
    similarity: npt.NDArray[np.float64],
    size: npt.NDArray[np.uint32],
    histogram: I64,
) -> None:
    documents = len(order)
    # The anchors of each group, as linked lists in which the latest comes first: link k is band k % bands of an anchor.
    head = np.full(count, -1, np.int64)
    link = np.full(documents * bands, -1, np.int64)
    compared = np.full(documents, -1, np.int64)
    rank = np.empty(documents, np.int64)
    for place in range(documents):
        rank[order[place]] = place
    for i in order:
        best, most = i, -1.0
        document = shingles[offsets[i] : offsets[i + 1]]
        for band in range(bands):
            at = -1 if fixed[i] else head[group[i * bands + band]]
            tries = 0
            while at >= 0 and tries < TRIES:
                tries += 1
                j = at // bands
                at = link[at]
                if compared[j] == i:
                    continue
                compared[j] = i
                other = shingles[offsets[j] : offsets[j + 1]]
                # The smaller set bounds the intersection: skip a comparison that cannot succeed. This divides as Jaccard
                # does: in floating point 0.28 * 25 is more than 7, and a pair of exactly the threshold would be lost.
                if min(len(document), len(other)) / max(len(document), len(other), 1) < max(threshold, most):
                    continue
                value = jaccard_of(document, other)
                if value > most or (value == most and rank[j] < rank[best]):
                    best, most = j, value
        if most >= 0.0:
            histogram[min(int(most * BINS), BINS - 1)] += 1
        if best != i and most >= threshold:
            anchor[i] = best
            similarity[i] = most
            size[best] += size[i]
            continue
        for band in range(bands):
            place = group[i * bands + band]
            link[i * bands + band] = head[place]
            head[place] = i * bands + band
