"""The choice of bands and rows against datasketch's, whose objective it shares, and what `eyas plan` prints."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch.lsh import _false_negative_probability, _false_positive_probability, _optimal_param
from pydantic import ValidationError

from eyas.filters.dedup.banding import choose, curve_lines, probability
from eyas.filters.dedup.minhash import MinhashDedup


def cost(jaccard: float, price: float, bands: int, rows: int) -> float:
    """By datasketch's own integrals."""
    vain, missed = (f(jaccard, bands, rows) for f in (_false_positive_probability, _false_negative_probability))
    return float(vain + price * missed)


@pytest.mark.parametrize("jaccard", [0.5, 0.75, 0.9])
@pytest.mark.parametrize("price", [1.0, 9.0])
@pytest.mark.parametrize("lanes", [64, 128])
def test_the_choice_costs_no_more_than_datasketch_s(jaccard: float, price: float, lanes: int) -> None:
    theirs = _optimal_param(jaccard, lanes, 1.0 / (1 + price), price / (1 + price))
    ours = choose(jaccard, price, lanes)
    assert ours[0] * ours[1] <= lanes
    assert cost(jaccard, price, *ours) == pytest.approx(cost(jaccard, price, *theirs), rel=0.02, abs=1e-3)


def test_a_higher_price_finds_more() -> None:
    found = [float(probability(0.75, *choose(0.75, price, 128))) for price in (0.1, 1, 9, 100)]
    assert found == sorted(found) and found[-1] > 0.98 > 0.5 > found[0]


def test_a_target_stands_for_bands_and_rows() -> None:
    stage = MinhashDedup(target={"jaccard": 0.8, "price_of_missing": 9, "lanes": 128})
    assert stage.banding == choose(0.8, 9, 128)
    with pytest.raises(ValidationError, match="either `bands` and `rows`, or a `target`"):
        MinhashDedup(bands=20, target={})


def test_the_curve_as_text_marks_the_verified_threshold_once() -> None:
    for verify in (0.4, 0.5, 0.7, 0.72, 0.95, 1.0):
        lines = curve_lines(14, 8, verify)
        marked = [line for line in lines if "verify_jaccard" in line]
        assert len(marked) == 1 and float(marked[0].split()[0]) <= verify + 1e-9
    assert "0.924" in next(line for line in curve_lines(14, 8, 0.7) if line.strip().startswith("0.80"))
    assert np.all(np.diff([float(line.split()[-1]) for line in curve_lines(14, 8, 0.2)[1:]]) >= 0)


def test_the_s_curve_is_the_formula_and_rises() -> None:
    assert probability(0.8, 14, 8) == pytest.approx(0.924, abs=0.001)
    curve = [float(probability(value / 10, 14, 8)) for value in range(11)]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0.0, 1.0)
