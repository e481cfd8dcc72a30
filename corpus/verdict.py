"""The verdict of a filter: for each document keep or drop, the reason, and the score.

A verdict carries the score and the threshold beside the decision, so that a threshold can be judged,
or moved, later without running anything again (dolma keeps attributes apart for the same reason).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Rule:
    """One rule of a filter over a table of n documents; `fails`, `score`: arrays of length n."""

    reason: str
    fails: npt.NDArray[np.bool_]
    score: npt.NDArray[Any]
    threshold: float | npt.NDArray[np.float64]
    """One number for all documents, or one for each."""
    option: str | None = None
    """The option of the stage that is the threshold; None if the rule has none, so that it cannot be moved."""
    at_most: bool = False
    """Whether the threshold is the greatest score that passes, not the least."""

    @classmethod
    def bound(
        cls,
        reason: str,
        score: npt.NDArray[Any],
        *,
        least: float | npt.NDArray[np.float64] | None = None,
        most: float | npt.NDArray[np.float64] | None = None,
        option: str | None = None,
    ) -> Rule | None:
        """A rule that fails scores below `least`, or above `most`; a score or threshold of NaN never fails.

        None, a rule that is off, if neither is given.
        """
        if least is not None:
            return cls(reason, score < least, score, least, option, False)
        return None if most is None else cls(reason, score > most, score, most, option, True)


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
    rules: tuple[Rule, ...] = ()
    """The rules that were applied, so that their thresholds can be moved without applying them again."""
    cuts: pa.Array | None = None
    """list<int64>: the byte spans that a corpus stage cuts out of each text, as in `eyas.corpus.documents.CUT`."""
    filler: str = ""
    """The text that replaces each span that is cut out."""

    @classmethod
    def of(
        cls,
        kept: Sequence[bool] | npt.NDArray[np.bool_],
        *,
        reason: str | Sequence[str | None] | npt.NDArray[Any] | None = None,
        score: float | Sequence[float | None] | npt.NDArray[Any] | pa.Array | None = None,
        threshold: float | Sequence[float | None] | npt.NDArray[Any] | pa.Array | None = None,
        detail: Sequence[str | None] | pa.Array | None = None,
        columns: Mapping[str, pa.Array] | None = None,
        rules: Sequence[Rule] = (),
        cuts: pa.Array | None = None,
        filler: str = "",
    ) -> Verdict:
        """A verdict from plain values: a scalar counts for every document, and documents that are kept get no reason."""
        keep = pa.array(np.asarray(kept, dtype=np.bool_))
        rows = len(keep)
        reasons = pa.scalar(reason, pa.string()) if isinstance(reason, str | None) else pa.array(reason, pa.string())
        return cls(
            kept=keep,
            reason=pc.if_else(keep, pa.scalar(None, pa.string()), reasons),
            score=_floats(score, rows),
            threshold=_floats(threshold, rows),
            detail=_array(detail, pa.string(), rows),
            columns=columns or {},
            rules=tuple(rules),
            cuts=cuts,
            filler=filler,
        )

    @classmethod
    def first_failure(cls, rules: Sequence[Rule], rows: int) -> Verdict:
        """The verdict of several rules in order: the first that fails gives reason, score and threshold.

        A document that passes all of them is kept; its score and threshold are null.
        """
        which = np.full(rows, -1, np.int64)
        score = np.full(rows, np.nan)
        threshold = np.full(rows, np.nan)
        for number, rule in enumerate(rules):
            failed = rule.fails & (which < 0)
            which[failed] = number
            score[failed] = rule.score[failed]
            threshold[failed] = rule.threshold[failed] if isinstance(rule.threshold, np.ndarray) else rule.threshold
        kept = which < 0
        names = pa.array([rule.reason for rule in rules], pa.string())
        return cls(
            kept=pa.array(kept),
            reason=names.take(pa.array(which, mask=kept)),
            score=pa.array(score, mask=kept),
            threshold=pa.array(threshold, mask=kept),
            detail=pa.nulls(rows, pa.string()),
            rules=tuple(rules),
        )

    @classmethod
    def joined(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """The verdict on the documents of several tables, one after another, by one stage; columns are left out."""
        names = ("kept", "reason", "score", "threshold", "detail")
        arrays = {name: pa.concat_arrays([getattr(verdict, name) for verdict in verdicts]) for name in names}
        rules = []
        for parts in zip(*(verdict.rules for verdict in verdicts), strict=True):
            thresholds = [np.broadcast_to(np.asarray(part.threshold, np.float64), part.score.shape) for part in parts]
            fails, score = (np.concatenate([getattr(part, name) for part in parts]) for name in ("fails", "score"))
            rules.append(replace(parts[0], fails=fails, score=score, threshold=np.concatenate(thresholds)))
        return cls(**arrays, rules=tuple(rules))

    def filter(self, mask: npt.NDArray[np.bool_]) -> Verdict:
        """The verdict on some of the documents; columns and rules are left out."""
        if mask.all():
            return replace(self, columns={}, rules=())
        wanted = pa.array(mask)
        names = ("kept", "reason", "score", "threshold", "detail")
        return Verdict(**{name: getattr(self, name).filter(wanted) for name in names})

    def __len__(self) -> int:
        return len(self.kept)


def _floats(value: Any, rows: int) -> pa.Array:
    if isinstance(value, int | float):
        return pa.array(np.full(rows, float(value)), pa.float64())
    return _array(value, pa.float64(), rows)


def _array(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, kind)
    return value if isinstance(value, pa.Array) else pa.array(value, kind)
