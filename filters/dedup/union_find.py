"""Finds connected components of candidate pairs by union-find, edge file after edge file, in 5 bytes for each document.

Documents are numbered densely by part, so nothing is looked up by hash and no list of edges is held: 10 million documents
take 50 MB. A component only says which documents *may* be copies. A chain of near-duplicates A≈B≈C≈… is one component
although its ends have nothing in common (859,092 documents were cut down to 2 that way: marin#6854), so verification
follows. Where even 5 bytes a document are too many, `stars` does the same in files.
"""

# Tested in tests/filters/dedup/test_components.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.shuffle import read_bucket, write_in_order
from eyas.corpus.task import Entry, TaskContext
from eyas.text_kernels.jit import kernel

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
LEAST_BYTES = 5
"""Memory for each of fewer than 2^32 documents: 4 bytes for its parent, 1 for whether an edge has touched it."""


@kernel
def _find(parent: npt.NDArray[Any], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node


@kernel
def _unite(parent: npt.NDArray[Any], touched: npt.NDArray[np.bool_], left: I64, right: I64) -> None:
    for edge in range(len(left)):
        touched[left[edge]] = touched[right[edge]] = True
        a = _find(parent, left[edge])
        b = _find(parent, right[edge])
        # The smaller number becomes the root: the result does not depend on the order of edges.
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b


@kernel
def _flatten(parent: npt.NDArray[Any]) -> None:
    for node in range(len(parent)):
        parent[node] = parent[parent[node]]


class Components:
    """The components of the documents of some parts.

    `numbers`: the parts' numbers, ascending. `rows`: a bound above every row number of each part.
    """

    def __init__(self, numbers: Sequence[int], rows: Sequence[int], most_narrow: int = 2**32) -> None:
        """`most_narrow`: number of documents from which a parent takes 8 bytes."""
        self._numbers = np.array(numbers, np.int64)
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(rows, np.int64))])
        size = int(self._starts[-1])
        self._parent = np.arange(size, dtype=np.uint32 if size < most_narrow else np.int64)
        self._touched = np.zeros(size, np.bool_)

    def add(self, left: U64, right: U64) -> None:
        """Adds the edges `left[i]`–`right[i]` between document ids."""
        _unite(self._parent, self._touched, self._dense(left), self._dense(right))

    def settle(self) -> None:
        """Shortens all paths; call it once, after the last edge."""
        # A parent has a smaller number than its child, so one pass from the left shortens every path to one step.
        _flatten(self._parent)

    def members(self, position: int) -> tuple[U64, U64]:
        """Ids of the documents of part `numbers[position]` that any edge touched, ascending, and for each the lowest id of
        its component."""
        first, last = self._starts[position], self._starts[position + 1]
        nodes = np.flatnonzero(self._touched[first:last]) + first
        return self._id(nodes), self._id(self._parent[nodes].astype(np.int64))

    def _dense(self, ids: U64) -> I64:
        place = np.searchsorted(self._numbers, (ids >> np.uint64(32)).astype(np.int64))
        dense: I64 = self._starts[place] + (ids & np.uint64(0xFFFFFFFF)).astype(np.int64)
        # A kernel would write beyond its arrays.
        assert (dense < self._starts[place + 1]).all(), "a document's row is above those of its part"
        return dense

    def _id(self, nodes: I64) -> U64:
        place = np.searchsorted(self._starts, nodes, side="right") - 1
        number, row = self._numbers[place].astype(np.uint64), (nodes - self._starts[place]).astype(np.uint64)
        ids: U64 = (number << np.uint64(32)) + row
        return ids


MEMBERS = pa.schema([("id", pa.uint64()), ("root", pa.uint64())])


def cluster(
    paths: Sequence[str], numbers: npt.NDArray[np.int64], rows: Sequence[int], folder: str, context: TaskContext
) -> Entry:
    """A task: reads edge files of one bucket each (columns node, neighbour) and writes the members of each part (`MEMBERS`,
    one bucket per part) into a file of `folder`."""
    components = Components(numbers.tolist(), rows)
    for path in paths:
        edges = read_bucket(context.store, [f"{context.folder}/{path}"], 0)
        components.add(edges.column("node").to_numpy(), edges.column("neighbour").to_numpy())
    components.settle()
    members = (
        pa.Table.from_arrays([pa.array(column) for column in components.members(position)], schema=MEMBERS)
        for position in range(len(numbers))
    )
    entry = write_in_order(context.store, f"{context.folder}/{folder}/all.arrow", MEMBERS, members)
    return {"files": [entry.to_json()], "candidates": entry.rows}
