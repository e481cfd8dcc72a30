"""Connected components, in memory and in files, against a naive flood fill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.shuffle import read_bucket
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, TaskContext, next_step
from eyas.filters.dedup import stars
from eyas.filters.dedup.union_find import Components

NUMBERS, ROWS = [0, 3, 2**31, 0xFFFFFFFE, 0xFFFFFFFF], [4, 1, 3, 2, 5]
IDS = [(number << 32) + row for number, rows in zip(NUMBERS, ROWS, strict=True) for row in range(rows)]
EDGES = st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)).filter(lambda e: e[0] < e[1]), max_size=25)

Edges = list[tuple[int, int]]


def flood(edges: Edges) -> dict[int, int]:
    """The lowest node that can be reached from each."""
    nodes = {node for edge in edges for node in edge}
    reached = {node: node for node in nodes}
    for _ in nodes:
        for left, right in edges:
            reached[left] = reached[right] = min(reached[left], reached[right])
    return reached


def arrays(edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in edges], np.uint64), np.array([b for _, b in edges], np.uint64)


def by_union_find(edges: Edges, pieces: int, most_narrow: int = 2**32) -> dict[int, int]:
    components = Components(NUMBERS, ROWS, most_narrow)
    for piece in range(pieces):
        components.add(*arrays(edges[piece::pieces]))
    components.settle()
    found: dict[int, int] = {}
    for position, number in enumerate(NUMBERS):
        ids, roots = components.members(position)
        assert ids.tolist() == sorted(ids.tolist()) and set((ids >> np.uint64(32)).tolist()) <= {number}
        found.update(zip(ids.tolist(), roots.tolist(), strict=True))
    return found


def by_stars(edges: Edges, buckets: int, folder: Path) -> tuple[dict[int, int], int]:
    """The components, and the rounds it took."""
    context = TaskContext(Store(str(folder)), "pass", seed=0)
    paths = []
    for piece in range(2):
        paths.append(f"first/{piece}.arrow")
        node, neighbour = stars.both_ways(*arrays(edges[piece::2]))
        stars.write_edges(context, f"pass/{paths[-1]}", node, neighbour, buckets)
    plan = stars.steps(paths, buckets, "clusters", np.array(NUMBERS, np.int64))
    names: list[str] = []
    entries: list[Entry] | None = None
    while (step := next_step(plan, entries)) is not None:
        names.append(step.name)
        entries = [task.run(context) for task in step.tasks]
    files = [f"pass/clusters/{name}" for name in context.store.list("pass/clusters")]
    found = {}
    for position in range(len(NUMBERS)):
        rows = read_bucket(context.store, files, position)
        found.update(zip(rows.column("id").to_pylist(), rows.column("root").to_pylist(), strict=True))
    return found, sum(name.startswith("large") for name in names)


@settings(deadline=None)
@given(EDGES, st.integers(1, 3), st.randoms())
def test_union_find_is_a_flood_fill_in_any_order(edges: Edges, pieces: int, chance: object) -> None:
    assert by_union_find(edges, pieces) == flood(edges)
    chance.shuffle(edges)  # type: ignore[attr-defined]
    assert by_union_find(edges, 1) == flood(edges)
    assert by_union_find(edges, 2, most_narrow=1) == flood(edges)


@settings(deadline=None, max_examples=60)
@given(EDGES, st.integers(1, 3))
def test_stars_are_a_flood_fill(tmp_path_factory: pytest.TempPathFactory, edges: Edges, buckets: int) -> None:
    assert by_stars(edges, buckets, tmp_path_factory.mktemp("stars"))[0] == flood(edges)


def test_a_long_chain_is_one_component() -> None:
    nodes = np.arange(100_000, dtype=np.uint64)
    components = Components([0], [100_000])
    components.add(nodes[1:][::-1].copy(), nodes[:-1][::-1].copy())
    components.settle()
    assert components.members(0)[1].max() == 0


def test_stars_shorten_a_chain_in_few_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of n takes log n rounds or so, not n."""
    monkeypatch.setattr("test_components.NUMBERS", [0])
    chain = [(i, i + 1) for i in range(1000)]
    found, rounds = by_stars(chain, 3, tmp_path)
    assert set(found.values()) == {0} and len(found) == 1001
    assert rounds <= 12
