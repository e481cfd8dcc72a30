"""The price of a vocabulary, computed by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eyas.tokenizer_train.report.price import FALCON_H1, parameters_of, prices


def test_price_by_hand() -> None:
    small, large = prices([("small", 32_000, 4.0), ("large", 128_000, 4.4)], [2048], [1e9])
    assert small.flops_per_byte == pytest.approx(6 * (1e9 + 32_000 * 2048) / 4.0)
    assert large.relative == pytest.approx((1e9 + 128_000 * 2048) / 4.4 / ((1e9 + 32_000 * 2048) / 4.0))
    assert small.relative == 1
    assert small.embedding_parameters == 2 * 32_000 * 2048
    assert small.embedding_share == pytest.approx(131_072_000 / 1_131_072_000)


def test_a_large_vocabulary_pays_in_a_large_model_only() -> None:
    found = prices([("small", 32_000, 4.0), ("large", 256_000, 4.4)], [256, 5120])
    dear, cheap = (one.relative for one in found if one.label == "large")
    assert cheap < 1 < dear


def test_parameters_grow_with_the_width_and_are_falcons_at_its_widths() -> None:
    assert {width: parameters_of(width) for width in FALCON_H1} == FALCON_H1
    sizes = [parameters_of(width) for width in range(128, 9000, 64)]
    assert all(a < b for a, b in pairwise(sizes))
    with pytest.raises(ValueError, match="1 numbers of parameters for 2 widths"):
        prices([("a", 1, 1.0)], [256, 512], [1e6])
    with pytest.raises(ValueError, match="above 0"):
        prices([("a", 1, 1.0)], [256], [0.0])
