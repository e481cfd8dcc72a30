"""A threshold decides by a column, and says by what."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eyas.corpus import StageUnavailable
from eyas.corpus.documents import documents
from eyas.filters.classifiers.threshold import Threshold


def table(values: pa.Array) -> pa.Table:
    """Documents with a column `s`."""
    rows = len(values)
    return documents(list(range(rows)), ["x"] * rows, "src", [""] * rows, {"s": values})


def test_reasons_scores_and_thresholds() -> None:
    verdict = Threshold(column="s", min=0.25, max=0.75).judge(
        table(pa.array([0.25, 0.75, 0.1, 0.9, None, float("nan")]))
    )
    assert verdict.kept.to_pylist() == [True, True, False, False, False, False]
    assert verdict.reason.to_pylist() == [None, None, "below_s", "above_s", "no_s", "no_s"]
    assert verdict.score.to_pylist() == [0.25, 0.75, 0.1, 0.9, None, None]
    assert verdict.threshold.to_pylist() == [0.25, 0.25, 0.25, 0.75, 0.25, 0.25]


def test_a_missing_value_is_kept_if_asked() -> None:
    verdict = Threshold(column="s", max=3, missing="keep").judge(table(pa.array([1, None, 4], pa.int64())))
    assert verdict.kept.to_pylist() == [True, True, False]
    assert verdict.threshold.to_pylist() == [3.0] * 3


@given(st.lists(st.one_of(st.none(), st.floats(width=32))), st.floats(-2, 2), st.booleans(), st.booleans())
def test_each_document_is_decided_by_itself(values: list[float | None], bound: float, low: bool, keep: bool) -> None:
    stage = Threshold(column="s", missing="keep" if keep else "drop", **{"min" if low else "max": bound})
    verdict = stage.judge(
        table(pa.chunked_array([pa.array(values[:1], pa.float32()), pa.array(values[1:], pa.float32())]))
    )
    for kept, value in zip(verdict.kept.to_pylist(), values, strict=True):
        if value is None or np.isnan(value):
            assert kept == keep
        else:
            assert kept == (value >= bound if low else value <= bound)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs `min`, `max` or both"),
        ({"min": 2, "max": 1}, "every document would be dropped"),
        ({"min": float("nan")}, "found NaN"),
    ],
)
def test_bounds_that_cannot_be_meant(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Threshold(column="s", **options)


def test_a_column_of_words_stops_the_run() -> None:
    with pytest.raises(StageUnavailable, match=r"'s' holds string, not numbers"):
        Threshold(column="s", min=1).judge(table(pa.array(["a"])))


def test_it_asks_for_its_column_and_travels() -> None:
    stage = Threshold(column="s", min=1)
    assert stage.columns_needed() == ("s",)
    assert pickle.loads(pickle.dumps(stage)) == stage
