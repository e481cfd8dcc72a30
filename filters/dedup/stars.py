"""Finds connected components in files, for more documents than one machine can number, by large-star and small-star.

Each operation is a shuffle by document (Kiveris et al., Connected Components in MapReduce and Beyond, 2014): large-star
ties a document's larger neighbours to the least of its neighbourhood, small-star its smaller ones. They alternate until
neither changes anything; then every component is one star around its lowest id. Memory is that of one hash range, whatever
the number of edges. The trade: each of some log n rounds reads and writes all edges; union-find reads them once.
"""

# Tested in tests/filters/dedup/test_components.py.

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.sampling import mix
from eyas.corpus.shuffle import bucket_of, read_bucket, write_buckets
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.filters.dedup.base import I64, U64, begins, runs, write_by_part


def both_ways(left: U64, right: U64) -> tuple[U64, U64]:
    """Every edge twice, once from each of its ends: the input of large-star."""
    return np.concatenate([left, right]), np.concatenate([right, left])


def write_edges(context: TaskContext, path: str, node: U64, neighbour: U64, buckets: int) -> dict[str, Any]:
    """Writes edges in buckets by `node`; returns the file's entry, as JSON."""
    rows = pa.table({"node": pa.array(node), "neighbour": pa.array(neighbour)})
    return write_buckets(context.store, path, rows, bucket_of(mix(node), buckets), buckets).to_json()


def steps(first: Sequence[str], buckets: int, folder: str, numbers: I64) -> Generator[Step, list[Entry], None]:
    """The rounds from the edge files `first` (paths within the pass, both ways, `buckets` buckets each) until nothing
    changes; then the members of each part, in files of `folder`, in the form that union-find writes."""
    paths, number, changed = list(first), 0, True
    while changed:
        number += 1
        changed = False
        for kind in ("large", "small"):
            name = f"{kind}-{number:02d}"
            tasks = [Task(f"bucket-{b:04d}-{buckets}", partial(_star, b, buckets, name, paths)) for b in range(buckets)]
            entries = yield Step.of(name, tasks)
            changed |= any(entry["changed"] for entry in entries)
            paths = [_path(name, bucket, buckets) for bucket in range(buckets)]
    last = [Task(f"bucket-{b:04d}-{buckets}", partial(_members, b, paths, folder, numbers)) for b in range(buckets)]
    yield Step.of("clusters", last)


def _path(name: str, bucket: int, buckets: int) -> str:
    return f"stars-{buckets}/{name}/bucket-{bucket:04d}.arrow"


def _neighbourhoods(paths: Sequence[str], bucket: int, context: TaskContext) -> tuple[U64, U64, U64]:
    """Edges of one bucket, sorted and each once: node, neighbour, and the least of the node's whole neighbourhood."""
    rows = read_bucket(context.store, [f"{context.folder}/{path}" for path in paths], bucket)
    node, neighbour = rows.column("node").to_numpy(), rows.column("neighbour").to_numpy()
    order = np.lexsort((neighbour, node))
    node, neighbour = node[order], neighbour[order]
    new = begins(node, neighbour)
    node, neighbour = node[new], neighbour[new]
    # Neighbours are sorted, so the first of each node is its least.
    first, _, run = runs(begins(node))
    least = neighbour[first[run]]
    return node, neighbour, np.minimum(least, node)


def _star(bucket: int, buckets: int, name: str, paths: Sequence[str], context: TaskContext) -> Entry:
    node, neighbour, least = _neighbourhoods(paths, bucket, context)
    if name.startswith("large"):
        larger: npt.NDArray[np.bool_] = neighbour > node
        high, low = neighbour[larger], least[larger]
        changed = bool((low != node[larger]).any())
        node, neighbour = high, low
    else:
        # Edges of large-star point from the higher id to the lower: all neighbours of this node are smaller.
        other = neighbour != least
        first = begins(node)
        high = np.concatenate([node[first], neighbour[other]])
        low = np.concatenate([least[first], least[other]])
        changed = bool(other.any())
        node, neighbour = both_ways(high, low)
    path = f"{context.folder}/{_path(name, bucket, buckets)}"
    return {"files": [write_edges(context, path, node, neighbour, buckets)], "changed": changed, "edges": len(node)}


def _members(bucket: int, paths: Sequence[str], folder: str, numbers: I64, context: TaskContext) -> Entry:
    node, _, least = _neighbourhoods(paths, bucket, context)
    first = begins(node)
    rows = pa.table({"id": pa.array(node[first]), "root": pa.array(least[first])})
    entry = write_by_part(context, f"{context.folder}/{folder}/bucket-{bucket:04d}.arrow", rows, numbers)
    return {"files": [entry.to_json()], "candidates": rows.num_rows}
