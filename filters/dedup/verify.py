"""Verification of candidate clusters: every member against an anchor, never along the chain.

Within a cluster, in the given order, the first document is an anchor. A later one joins the first anchor whose shingle
set it resembles enough (true Jaccard); one that resembles none becomes an anchor itself, and stays.
A cluster of n copies of one page costs n comparisons; only a cluster whose members all differ costs n²/2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel
from text_kernels.shingles import jaccard as jaccard_of

I64 = npt.NDArray[np.int64]


@kernel
def verify(
    shingles: npt.NDArray[np.uint64], offsets: I64, roots: npt.NDArray[np.uint64], order: I64, threshold: float
) -> tuple[I64, npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
    """For n documents: the position of each one's anchor, its Jaccard similarity with it (NaN for anchors), and the
    documents that share its anchor.

    `shingles[offsets[i]:offsets[i + 1]]`: the sorted shingle set of document i; `roots`: its candidate cluster; `order`:
    positions, cluster by cluster, the one that should stay first.
    """
    documents = len(roots)
    anchor = np.arange(documents)
    similarity = np.full(documents, np.nan)
    size = np.ones(documents, np.uint32)
    anchors = np.empty(documents, np.int64)
    count = 0
    for position in range(documents):
        i = order[position]
        if position == 0 or roots[order[position - 1]] != roots[i]:
            count = 0
        mine = shingles[offsets[i] : offsets[i + 1]]
        for k in range(count):
            j = anchors[k]
            theirs = shingles[offsets[j] : offsets[j + 1]]
            # The smaller set bounds the intersection: skip a comparison that cannot succeed. Divided as Jaccard is: in
            # floating point 0.28 * 25 is more than 7, and a pair of exactly the threshold would be lost.
            if min(len(mine), len(theirs)) / max(len(mine), len(theirs), 1) < threshold:
                continue
            value = jaccard_of(mine, theirs)
            if value >= threshold:
                anchor[i] = j
                similarity[i] = value
                size[j] += 1
                break
        if anchor[i] == i:
            anchors[count] = i
            count += 1
    for i in range(documents):
        size[i] = size[anchor[i]]
    return anchor, similarity, size
