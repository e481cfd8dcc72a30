"""The merge table against a dictionary, pairs that are not there included."""

from __future__ import annotations

import numpy as np
import pytest

from eyas.text_kernels.jit import kernel
from eyas.tokenizer_train.encoding.pair_table import NO_RANK, pair_table, rank_of

ranks = kernel(
    lambda pairs, moves, left, right: np.array(
        [rank_of(pairs, moves, left[i], right[i]) for i in range(len(left))], np.int64
    )
)


@pytest.mark.parametrize("many", [0, 1, 5, 1000, 200_000])
@pytest.mark.parametrize("symbols", [40, 2**20 - 2])
def test_every_pair_has_its_rank_and_no_other_has_any(many: int, symbols: int) -> None:
    chance = np.random.default_rng(many)
    left, right = chance.integers(0, symbols, (2, many)).astype(np.int32)
    pairs, moves = pair_table(left, right)
    expected = {(int(a), int(b)): rank for rank, (a, b) in enumerate(zip(left, right, strict=True))}  # the later holds
    pairs_looked_up = np.concatenate([np.stack([left, right]), chance.integers(0, symbols, (2, 1000))], axis=1).astype(
        np.int32
    )
    ranks_found = ranks(pairs, moves, *np.ascontiguousarray(pairs_looked_up))
    assert ranks_found.tolist() == [expected.get((int(a), int(b)), NO_RANK) for a, b in pairs_looked_up.T]
    assert len(pairs) <= max(64, 6 * many)
