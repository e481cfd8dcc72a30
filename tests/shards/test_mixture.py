"""Mixtures: exact in the large, random in the small, any step entered at once, weights that change in mid-run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_sets import rows_by_hand

from eyas.shards import ShardLoader
from eyas.shards.mixture import Draws
from eyas.shards.options import Phase

WEIGHTS = st.lists(st.floats(0.001, 1000) | st.just(0.0), min_size=3, max_size=3).filter(lambda w: sum(w) > 0)


def drawn(phases: list[tuple[int, list[float]]], seed: int = 0) -> Draws:
    return Draws([np.array(weights) for _, weights in phases], [first for first, _ in phases], seed)


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, WEIGHTS, st.integers(1, 300), st.integers(0, 2**64 - 1), st.data())
def test_cursors_follow_from_the_draw_alone(
    one: list[float], two: list[float], change: int, seed: int, data: st.DataObject
) -> None:
    draws = drawn([(0, one), (change, two)], seed)
    source, nth = draws.between(0, 500)
    # Each source is read row by row, none is left out.
    for number in range(3):
        assert nth[source == number].tolist() == list(range(int((source == number).sum())))
    # In the large as weighted: never a row away.
    for first, last, weights in ((0, change, one), (change, 500, two)):
        share = np.array(weights) / sum(weights)
        for stop in (last, data.draw(st.integers(first, last))):
            counts = np.bincount(source[first:stop], minlength=3)
            assert (abs(counts - share * (stop - first)) < 1 + 3 * share).all()
            assert counts[share == 0].sum() == 0
    # Entered anywhere, in pieces of any size, the same.
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, 500), max_size=4))), 500]
    parts = [draws.between(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]
    assert np.concatenate([p[0] for p in parts]).tolist() == source.tolist()
    assert np.concatenate([p[1] for p in parts]).tolist() == nth.tolist()
    for cut in cuts:
        assert draws.before(cut).tolist() == np.bincount(source[:cut], minlength=3).tolist()


def test_far_away_and_in_the_small_it_is_random() -> None:
    draws = drawn([(0, [1.0, 1.0])], seed=5)
    far, nth = draws.between(10**12, 10**12 + 4000)
    assert abs(int(nth[far == 0][0]) - 5 * 10**11) <= 2
    runs = (far[1:] == far[:-1]).mean()
    assert 0.2 < runs < 0.5  # never alternating, never clumped: one of each in two draws
    assert drawn([(0, [1.0, 1.0])], seed=6).between(0, 100)[0].tolist() != draws.between(0, 100)[0].tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("mixed")
    rows_by_hand(path, [5, 7, 4, 300], sources=["web", "code", "web", "books"])
    return str(path)


def mixture(*phases: tuple[int, dict[str, float]]) -> list[Phase]:
    return [Phase(from_step=step, weights=weights) for step, weights in phases]


def test_a_source_is_read_whole_before_any_row_comes_again(folder: str) -> None:
    loader = ShardLoader(folder, 8, seed=2, mixture=mixture((0, {"web": 0.5, "code": 0.5})))
    rows = np.concatenate([loader.rows_of(step) for step in range(90)])
    web, code = set(range(5)) | set(range(12, 16)), set(range(5, 12))
    assert set(rows.tolist()) == web | code
    for whole in (web, code):
        of_source = [row for row in rows.tolist() if row in whole]
        for first in range(0, len(of_source) - len(whole), len(whole)):
            assert set(of_source[first : first + len(whole)]) == whole
    in_order = ShardLoader(folder, 8, seed=2, mixture=mixture((0, {"web": 1.0})), shuffle=False)
    assert np.concatenate([in_order.rows_of(0), in_order.rows_of(1)]).tolist()[:10] == [*range(5), *range(12, 16), 0]


def test_weights_may_change_after_a_state_but_not_before_it(folder: str) -> None:
    first = ShardLoader(folder, 4, seed=1, mixture=mixture((0, {"web": 1.0})))
    batches = iter(first)
    for _ in range(6):
        next(batches)
    later = mixture((0, {"web": 1.0}), (6, {"books": 1.0}))
    second = ShardLoader(folder, 4, seed=1, mixture=later)
    second.load_state_dict(first.state_dict())
    assert all(row >= 16 for row in next(iter(second)).rows.tolist())
    for other in (mixture((0, {"web": 1.0, "code": 0.1})), mixture((0, {"web": 1.0}), (5, {"books": 1.0})), None):
        with pytest.raises(ValueError, match="loader state of another mixture before step 6"):
            ShardLoader(folder, 4, seed=1, mixture=other).load_state_dict(first.state_dict())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_ranks_any_stops_any_mixture_see_the_undisturbed_order(folder: str, data: st.DataObject) -> None:
    weights = st.dictionaries(st.sampled_from(["web", "code", "books"]), st.floats(0.01, 10), min_size=1)
    phases = None
    if data.draw(st.booleans()):
        phases = mixture((0, data.draw(weights)), (data.draw(st.integers(1, 20)), data.draw(weights)))
    seed, shuffle = data.draw(st.integers(0, 2**64 - 1)), data.draw(st.booleans())

    def loaders(world: int) -> list[ShardLoader]:
        prefetch = data.draw(st.integers(0, 2))
        return [
            ShardLoader(folder, 4, seed, rank, world, mixture=phases, shuffle=shuffle, prefetch=prefetch)
            for rank in range(world)
        ]

    (alone,) = loaders(1)
    batches = iter(alone)
    wanted = [(next(batches).rows.tolist(), alone.order_hash) for _ in range(20)]
    seen: list[tuple[list[int], str]] = []
    state = None
    while len(seen) < 20:
        world = data.draw(st.sampled_from([1, 2, 4]))
        ranks = loaders(world)
        for rank in ranks:
            if state is not None:
                rank.load_state_dict(state)
        streams = [iter(rank) for rank in ranks]
        for _ in range(data.draw(st.integers(1, 20 - len(seen)))):
            rows = [next(stream).rows.tolist() for stream in streams]
            assert len({rank.order_hash for rank in ranks}) == 1
            seen.append(([rows[i % world][i // world] for i in range(4)], ranks[0].order_hash))
        state = data.draw(st.sampled_from(ranks)).state_dict()
    assert seen == wanted
    assert len({hash_ for _, hash_ in wanted}) == 20


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([], "needs at least one phase"),
        ([(1, {"web": 1.0})], r"begin at steps \[1\]: expected 0 first"),
        ([(0, {"web": 1.0}), (0, {"code": 1.0})], r"begin at steps \[0, 0\]"),
        ([(0, {"wbe": 1.0})], "names 'wbe', but the shards have rows of 'web', 'code', 'books' only"),
    ],
)
def test_mistakes_are_named(folder: str, phases: list[tuple[int, dict[str, float]]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShardLoader(folder, 4, mixture=mixture(*phases))


def test_one_huge_set_costs_no_more_than_a_small_one(tmp_path: Path) -> None:
    """Entering step 10^9 looks at a few dozen draws, not at those before it."""
    rows_by_hand(tmp_path, [3, 5], sources=["a", "b"])
    loader = ShardLoader(str(tmp_path), 4, mixture=mixture((0, {"a": 0.3, "b": 0.7})))
    assert len(loader.rows_of(10**9)) == 4
