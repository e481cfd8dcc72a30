"""Connected components of candidate pairs by union-find, in numba: 5 million edges take about 3 s, most of it sorting ids.

Components only say who *may* be a copy of whom. A chain of near-duplicates A≈B≈C≈… is one component although its ends
have nothing in common (859,092 documents were cut down to 2 that way: marin#6854), so verification follows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel


@kernel
def _find(parent: npt.NDArray[np.int64], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _components(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], nodes: int) -> npt.NDArray[np.int64]:
    parent = np.arange(nodes)
    for edge in range(len(left)):
        a = _find(parent, left[edge])
        b = _find(parent, right[edge])
        # The smaller index becomes the root: the result does not depend on the order of edges.
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for node in range(nodes):
        parent[node] = _find(parent, node)
    return parent


def components(
    left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """All ids that occur in the edges `left[i]`–`right[i]`, ascending, and the lowest id of each one's component."""
    ids, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    index = index.astype(np.int64)
    roots = _components(index[: len(left)], index[len(left) :], len(ids))
    return ids, ids[roots]
