"""The order of rows: permutations that visit every row once, shares by source, and warnings of repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_sets import rows_by_hand

from eyas.shards import ShardLoader
from eyas.shards.options import Phase
from eyas.shards.order import fold, permute, repeated_too_soon, shares


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("mixed")
    rows_by_hand(path, [5, 7, 4, 300], sources=["web", "code", "web", "books"])
    return str(path)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_a_permutation_visits_every_row_once(size: int, key: int) -> None:
    assert sorted(permute(np.arange(size), size, key).tolist()) == list(range(size))


def test_permutations_of_large_sets_stay_inside_and_differ_by_key() -> None:
    size = 10**12 + 7
    numbers = np.arange(1000)
    images = permute(numbers, size, 1)
    assert len(set(images.tolist())) == 1000
    assert images.min() >= 0 and images.max() < size
    assert permute(numbers, size, 2).tolist() != images.tolist()
    assert abs(np.corrcoef(numbers, images)[0, 1]) < 0.15


def test_the_hash_depends_on_rows_and_their_order_by_step() -> None:
    rows = np.arange(8)
    assert fold(1, rows, 4) == fold(fold(1, rows[:4]), rows[4:])
    assert len({fold(1, rows, 4), fold(1, rows[::-1].copy(), 4), fold(1, rows, 8), fold(2, rows, 4)}) == 4


def test_shares_are_of_tokens_and_repetition_is_reported(folder: str) -> None:
    order = ShardLoader(folder, 8, seed=2, mixture=[Phase(weights={"web": 0.9, "books": 0.1})]).order
    by_source = {share.source: share for share in shares(order, 1000)}
    assert by_source["code"].rows == 0
    tokens = {
        name: by_source[name].rows * order.tokens(name) / size
        for name, size in zip(order.names, order.sizes, strict=True)
    }
    assert tokens["web"] / (tokens["web"] + tokens["books"]) == pytest.approx(0.9, abs=0.001)
    assert by_source["web"].epochs == pytest.approx(by_source["web"].rows / 9)
    warnings = repeated_too_soon(order, 1000, parameters=1_000_000)
    assert [line.split("'")[1] for line in warnings] == ["web", "books"]
    assert repeated_too_soon(order, 1000, parameters=1) == []


def test_a_source_that_comes_late_is_judged_by_its_own_phase(folder: str) -> None:
    late = [Phase(weights={"books": 1.0}), Phase(from_step=900, weights={"web": 1.0})]
    order = ShardLoader(folder, 8, mixture=late).order
    warning = next(line for line in repeated_too_soon(order, 1000, parameters=10**6) if "'web'" in line)
    every = float(warning.split("every ")[1].split(" tokens")[0].replace(",", ""))
    assert every == pytest.approx(order.tokens("web"), rel=0.2)  # in its phase, one epoch after the other
