"""Marks: those of the tokenizer, unambiguous, and drawn alike in any batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from long_context_checks import docs, within

from eyas.corpus.documents import CONTROL, SPANS
from eyas.errors import InputError
from eyas.synthetic.long_context.marks import (
    FILE,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    REPOSITORY,
    check_marks,
    control_of,
    joined_already,
    put,
    uniform,
)
from eyas.tokenizer_train.options import SPECIAL_TOKENS


def test_default_marks_are_tokens_of_our_tokenizer() -> None:
    marks = (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, REPOSITORY, FILE)
    assert set(marks) <= set(SPECIAL_TOKENS)
    check_marks(marks)


@pytest.mark.parametrize("marks", [("",), ("<|a|>", "<|a|>"), ("<a>", "x<a>"), ("abca",), ("|>x", "<|y|>")])
def test_ambiguous_marks_are_refused(marks: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="mark"):
        check_marks(marks)


def test_uniform_numbers_depend_on_id_seed_and_draw_alone() -> None:
    ids = np.arange(20_000, dtype=np.uint64)
    numbers = uniform(ids, 5, 1)
    assert numbers.min() >= 0 and numbers.max() < 1 and within(int((numbers < 0.3).sum()), 0.3, len(ids))
    assert np.array_equal(uniform(ids[::-1], 5, 1)[::-1], numbers)
    assert np.array_equal(uniform(ids[7:9], 5, 1), numbers[7:9])
    assert not np.array_equal(uniform(ids, 6, 1), numbers) and not np.array_equal(uniform(ids, 5, 2), numbers)


def test_columns_of_control_tokens_and_spans_may_be_missing() -> None:
    plain = docs(["a", "b"])
    assert control_of(plain) == [None, None] and joined_already(plain) == [False, False]
    marked = put(plain, CONTROL.name, pa.array([[FILE], None], CONTROL.type))
    full = put(marked, SPANS.name, pa.array([[0, 1], None], SPANS.type))
    assert control_of(full) == [[FILE], None] and joined_already(full) == [True, False]
    assert put(full, "text", pa.array(["c", "d"])).column_names == full.column_names
