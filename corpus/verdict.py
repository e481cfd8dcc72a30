"""What a filter says of each document: keep or drop, why, and by what score.

A verdict carries the score and the threshold beside the decision, so that a threshold can be judged,
or moved, later without running anything again (dolma keeps attributes apart for the same reason).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class Rule:
    """One rule of a filter over a table of n documents; `fails`, `score`: arrays of length n."""

    reason: str
    fails: npt.NDArray[np.bool_]
    score: npt.NDArray[Any]
    threshold: float


@dataclass(frozen=True)
class Verdict:
    """The decisions on a table of n documents; every array has length n.

    `kept` has no nulls; `reason`, `score`, `threshold` and `detail` may. `columns` holds what
    the stage declared in `adds`: the engine puts it into the document table.
    """

    kept: pa.BooleanArray
    reason: pa.Array
    score: pa.Array
    threshold: pa.Array
    detail: pa.Array
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        kept: Sequence[bool] | npt.NDArray[np.bool_],
        *,
        reason: str | Sequence[str | None] | npt.NDArray[Any] | None = None,
        score: float | Sequence[float | None] | npt.NDArray[Any] | None = None,
        threshold: float | Sequence[float | None] | npt.NDArray[Any] | None = None,
        detail: Sequence[str | None] | None = None,
        columns: Mapping[str, pa.Array] | None = None,
    ) -> Verdict:
        """A verdict from plain values: a scalar counts for every document, and kept ones lose their reason."""
        keep = np.asarray(kept, dtype=np.bool_)
        rows = len(keep)
        reasons = [reason] * rows if isinstance(reason, str) or reason is None else list(reason)
        return cls(
            kept=pa.array(keep, pa.bool_()),
            reason=pa.array([None if k else r for k, r in zip(keep, reasons, strict=True)], pa.string()),
            score=_floats(score, rows),
            threshold=_floats(threshold, rows),
            detail=pa.nulls(rows, pa.string()) if detail is None else pa.array(detail, pa.string()),
            columns=columns or {},
        )

    @classmethod
    def first_failure(cls, rules: Sequence[Rule], rows: int) -> Verdict:
        """The verdict of rules asked in turn: the first that fails names reason, score and threshold.

        A document that passes them all is kept with the score of the last rule's measure left null.
        """
        which = np.full(rows, -1, np.int64)
        score = np.full(rows, np.nan)
        threshold = np.full(rows, np.nan)
        for number, rule in enumerate(rules):
            new = rule.fails & (which < 0)
            which[new] = number
            score[new] = rule.score[new]
            threshold[new] = rule.threshold
        names = [rule.reason for rule in rules]
        kept = which < 0
        return cls.of(
            kept,
            reason=[None if n < 0 else names[n] for n in which],
            score=pa.array(score, mask=kept).to_pylist(),
            threshold=pa.array(threshold, mask=kept).to_pylist(),
        )

    def __len__(self) -> int:
        return len(self.kept)


def _floats(value: Any, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, pa.float64())
    if isinstance(value, int | float):
        return pa.array(np.full(rows, float(value)), pa.float64())
    return pa.array(value, pa.float64())
