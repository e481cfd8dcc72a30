"""The ledger: one row per document and decision, and books that must balance.

`kept` is true, false, or null. Null means *quarantined*: the stage raised on that document, so there is no
decision; `reason` then names the error and `detail` its message. The engine writes the ledger,
never the stages, and every stage must satisfy: in = kept + dropped + quarantined + passed by. Documents that a stage was not
asked about (`only:`) have no row of it: no decision was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.verdict import Verdict
from eyas.errors import BooksError

_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("id", pa.uint64()),
        ("stage", _NAME),
        ("kept", pa.bool_()),
        ("reason", _NAME),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
        ("source_id", pa.string()),
    ]
)
"""`source_id`: the input's own id of a document, in its first row only, as text; null where the input has none."""
READ = "read"
"""The stage name of the first decision on every document: it could be read. Its `detail` is the origin."""


def decisions(stage: str, ids: pa.Array, verdict: Verdict) -> pa.Table:
    """Ledger rows of `verdict` on the documents `ids` (uint64, as long as the verdict)."""
    return _table(stage, ids, verdict.kept, verdict.reason, verdict.score, verdict.threshold, verdict.detail)


def accepted(stage: str, ids: pa.Array, detail: pa.Array | None = None, source_ids: pa.Array | None = None) -> pa.Table:
    """Ledger rows that keep every document of `ids`: what a reader and a mapper leave."""
    rows = len(ids)
    nothing = pa.nulls(rows, pa.float64())
    kept = pa.array(np.ones(rows, np.bool_))
    detail = pa.nulls(rows, pa.string()) if detail is None else detail
    rows_kept = _table(stage, ids, kept, pa.nulls(rows, pa.string()), nothing, nothing, detail)
    if source_ids is None:
        return rows_kept
    return rows_kept.set_column(SCHEMA.get_field_index("source_id"), "source_id", source_ids)


@dataclass(frozen=True)
class Refusal:
    """A document that could not be judged, or that was dropped without a score, and the reason in words."""

    id: int
    reason: str
    detail: str
    dropped: bool = False
    """True for a decision to drop (an empty file), false for a quarantine (a broken line)."""


def refused(stage: str, refusals: Iterable[Refusal]) -> pa.Table:
    """Ledger rows of documents that could not be judged or read."""
    items = list(refusals)
    nothing = pa.nulls(len(items), pa.float64())
    return _table(
        stage,
        pa.array([item.id for item in items], pa.uint64()),
        pa.array([False if item.dropped else None for item in items], pa.bool_()),
        pa.array([item.reason for item in items], pa.string()),
        nothing,
        nothing,
        pa.array([item.detail for item in items], pa.string()),
    )


def _table(stage: str, ids: pa.Array, kept: pa.Array, reason: pa.Array, *rest: pa.Array) -> pa.Table:
    rows = len(ids)
    stages = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([stage], pa.string()))
    given = pa.array(ids) if isinstance(ids, np.ndarray) else ids
    columns = [given, stages, kept, reason.cast(_NAME), *rest, pa.nulls(rows, pa.string())]
    return pa.table(columns, schema=SCHEMA)


@dataclass
class Books:
    """The counts of one stage over some documents; sums of books are books."""

    documents: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    passed: int = 0
    """Documents that the stage was not asked about, and that went on as they were."""
    bytes_in: int = 0
    bytes_kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Documents dropped or quarantined, by reason."""
    languages: dict[str, int] = field(default_factory=dict)
    """Documents that went on, by language, once the column `lang` is there."""
    seconds: float = 0.0

    @classmethod
    def of(cls, rows: pa.Table, documents: int, passed: int = 0) -> Books:
        """Counts read off the ledger rows of one stage, which got `documents` documents, of which `passed` went by."""
        kept = rows.column("kept")
        reasons = rows.filter(pc.invert(pc.fill_null(kept, False))).column("reason").cast(pa.string())
        counts = reasons.value_counts().to_pylist()
        return cls(
            documents=documents,
            kept=pc.sum(kept).as_py() or 0,
            dropped=pc.sum(pc.invert(kept)).as_py() or 0,
            quarantined=kept.null_count,
            passed=passed,
            reasons={str(c["values"]): int(c["counts"]) for c in counts},
        )

    def add(self, other: Books) -> None:
        """Adds the counts of `other` to these."""
        for item in fields(self):
            if item.name not in ("reasons", "languages"):
                setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))
        for mine, others in ((self.reasons, other.reasons), (self.languages, other.languages)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count

    def check(self, stage: str, where: str) -> None:
        """Raises `BooksError` unless documents = kept + dropped + quarantined + passed by."""
        out = self.kept + self.dropped + self.quarantined + self.passed
        if out != self.documents:
            raise BooksError(
                f"{where}: the books of stage {stage!r} do not balance: {self.documents} documents went in, but "
                f"{self.kept} kept + {self.dropped} dropped + {self.quarantined} quarantined + {self.passed} passed by = "
                f"{out}. "
                f"This is a defect of the stage (it lost or invented documents); nothing was published."
            )

    @property
    def left(self) -> int:
        """Documents that went on: those that the stage kept, and those that passed it by."""
        return self.kept + self.passed

    def to_json(self) -> dict[str, Any]:
        """A JSON object, reasons sorted, that `from_json` reads back."""
        sorted_counts = {name: dict(sorted(getattr(self, name).items())) for name in ("reasons", "languages")}
        return {**self.__dict__, **sorted_counts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Books:
        """The books that `to_json` wrote."""
        return cls(**{**data, "reasons": dict(data["reasons"]), "languages": dict(data.get("languages", {}))})


def languages_of(docs: pa.Table, kept: pa.Array | None = None) -> dict[str, int]:
    """Documents by language, of all or of those that are `kept`; empty if the column `lang` is not there or no text."""
    if "lang" not in docs.column_names or not pa.types.is_string(docs.schema.field("lang").type):
        return {}
    column = docs.column("lang") if kept is None else docs.column("lang").filter(kept)
    return {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist() if entry["values"]}
