"""Connected components against a naive flood fill."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.dedup.union_find import components

IDS = st.integers(0, 12) | st.sampled_from([2**40, 2**63, 2**64 - 1])


def flood(edges: list[tuple[int, int]]) -> dict[int, int]:
    """The lowest node that can be reached from each."""
    nodes = {node for edge in edges for node in edge}
    reached = {node: node for node in nodes}
    for _ in nodes:
        for left, right in edges:
            reached[left] = reached[right] = min(reached[left], reached[right])
    return reached


@settings(deadline=None)
@given(st.lists(st.tuples(IDS, IDS), max_size=25), st.randoms())
def test_components_are_those_of_a_flood_fill_in_any_order(edges: list[tuple[int, int]], chance: object) -> None:
    expected = flood(edges)
    ids, roots = components(np.array([a for a, _ in edges], np.uint64), np.array([b for _, b in edges], np.uint64))
    assert dict(zip(ids.tolist(), roots.tolist(), strict=True)) == expected
    assert ids.tolist() == sorted(expected)
    shuffled = [edge[::-1] for edge in edges]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    again = components(np.array([a for a, _ in shuffled], np.uint64), np.array([b for _, b in shuffled], np.uint64))
    assert again[1].tolist() == roots.tolist()


def test_a_long_chain_is_one_component() -> None:
    nodes = np.arange(100_000, dtype=np.uint64)
    _, roots = components(nodes[:-1][::-1].copy(), nodes[1:][::-1].copy())
    assert roots.max() == 0
