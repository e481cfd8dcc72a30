"""The stage `where`: keeps documents for which an SQL expression on their columns and text statistics is true.

The expression is Polars' SQL: `words > 100 AND letters / characters > 0.6 AND lang = 'de'`. Statistics have the names in
`eyas.text_kernels.statistics.text.MEANING` (as floats, so that `/` divides), and `top_2_gram` or `repeated_5_grams` for any
n; they come from the walk that all heuristic filters share. A decision must depend on its document alone, so functions of
several rows (`avg`, `count`, `OVER`) are refused when the recipe is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Final

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from eyas.corpus import Filter, Verdict
from eyas.corpus.documents import COLUMNS
from eyas.errors import InputError
from eyas.filters.heuristics.statistics import TextMeasure
from eyas.filters.sql import condition, series
from eyas.text_kernels.statistics.text import MEANING

_N_GRAMS: Final = re.compile(r"(top)_([1-9]\d?)_gram|(repeated)_([1-9]\d?)_grams")


class Where(Filter):
    """Keeps documents for which an SQL expression is true; null and a division by zero count as false."""

    version: ClassVar[int] = 1
    scores_all: ClassVar[bool] = True

    keep: str = Field(min_length=1)
    """The expression on columns and statistics: `words > 100 AND repeated_5_grams / characters < 0.2`."""
    reason: str = Field(default="where", pattern=r"^[A-Za-z0-9_.-]+$")
    """The reason in the ledger for documents that are dropped."""

    @field_validator("keep")
    @classmethod
    def _one_row_at_a_time(cls, value: str) -> str:
        condition(value)
        return value

    @cached_property
    def _expression(self) -> pl.Expr:
        return condition(self.keep).alias("kept")

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._expression.meta.root_names()))

    def columns_needed(self) -> tuple[str, ...]:
        return tuple(name for name in self._names if name not in COLUMNS and not _is_statistic(name))

    def check_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Evaluates the expression on no documents: a comparison of text with a number is found before the run."""
        self.judge(pa.schema(list(columns.items())).empty_table())

    def measure(self) -> TextMeasure | None:
        statistics = [name for name in self._names if _is_statistic(name)]
        matches = [match for name in statistics if (match := _N_GRAMS.fullmatch(name))]
        top = tuple(sorted({int(match[2]) for match in matches if match[1]}))
        repeated = tuple(sorted({int(match[4]) for match in matches if match[3]}))
        return TextMeasure(top=top, repeated=repeated) if statistics else None

    def judge(self, docs: pa.Table) -> Verdict:
        """The verdict; a column of the documents takes precedence over a statistic of the same name."""
        measure = self.measure()
        counts = None if measure is None else measure.of(docs)
        frame = {}
        for name in self._names:
            if name in docs.column_names:
                frame[name] = series(name, docs.column(name))
            elif counts is not None:
                frame[name] = pl.Series(name, counts[name].astype(np.float64))
        table = pl.DataFrame(frame) if frame else pl.DataFrame({"row": np.zeros(docs.num_rows)})
        try:
            kept = table.select(self._expression)["kept"]
        except pl.exceptions.PolarsError as error:
            raise InputError(f"where: {self.keep!r}: {error}") from error
        if kept.dtype != pl.Boolean:
            raise InputError(f"where: {self.keep!r} is no condition: it gives {kept.dtype}, not true or false")
        mask = kept.fill_null(False).to_numpy()
        return Verdict.of(np.broadcast_to(mask, (docs.num_rows,)) if len(mask) == 1 else mask, reason=self.reason)


def _is_statistic(name: str) -> bool:
    return name in MEANING or _N_GRAMS.fullmatch(name) is not None
