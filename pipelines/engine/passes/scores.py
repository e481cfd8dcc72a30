"""Score files: what every rule of fused filters measured on every document that entered them.

A file has a row per document: its id, text bytes and language, a column of scores for each rule, and a column of
decisions for each filter without rules. The file's metadata says which rule a column belongs to, and which option is its
threshold. About 100 bytes a document, compressed, with Gopher's and FineWeb's rules.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from eyas.corpus.documents import text_lengths
from eyas.corpus.store import FileEntry, ParquetOutput, Store
from eyas.corpus.verdict import Verdict
from eyas.errors import StageError

_RULES: Final = b"rules"
DOCUMENT: Final = ("id", "bytes", "lang")


@dataclass(frozen=True)
class ScoredRule:
    """The rule whose scores are in `column`. `reason` is None if the column holds the decisions of a filter without rules."""

    column: str
    label: str
    reason: str | None
    option: str | None
    at_most: bool
    threshold: float | None
    """None if there is none, or if it differs by document and is in `threshold_column`."""


def threshold_column(column: str) -> str:
    """The column with the thresholds of a rule that has one for each document."""
    return f"{column} threshold"


class Scores:
    """Collects the scores of one batch."""

    def __init__(self, docs: pa.Table) -> None:
        self._rules: list[ScoredRule] = []
        self._columns: list[tuple[pa.Array, pa.Array]] = []
        self._thresholds: list[tuple[str, pa.Array, pa.Array]] = []
        self._docs = docs

    def add(self, label: str, docs: pa.Table, verdict: Verdict, judged: pa.Table | None = None) -> None:
        """The verdict of one filter on `judged`: those of `docs` that it was asked about; all if None."""
        self._docs = docs
        ids = (docs if judged is None else judged).column("id").combine_chunks()
        if not verdict.rules:
            self._rules.append(ScoredRule(label, label, None, None, False, None))
            self._columns.append((ids, verdict.kept))
        for rule in verdict.rules:
            threshold = rule.threshold if isinstance(rule.threshold, int | float) else None
            column = f"{label}.{rule.reason}"
            self._rules.append(ScoredRule(column, label, rule.reason, rule.option, rule.at_most, threshold))
            self._columns.append((ids, pa.array(rule.score.astype(np.float64))))
            if threshold is None:
                self._thresholds.append((threshold_column(column), ids, pa.array(rule.threshold)))

    def table(self) -> pa.Table:
        """The scores of the documents that all filters could judge; null where one was not asked."""
        docs = self._docs
        ids = docs.column("id").combine_chunks()
        columns: dict[str, Any] = {"id": ids, "bytes": pa.array(text_lengths(docs))}
        if "lang" in docs.column_names:
            columns["lang"] = docs.column("lang")
        scored = [(rule.column, *column) for rule, column in zip(self._rules, self._columns, strict=True)]
        for name, judged, values in [*scored, *self._thresholds]:
            # A later filter may have raised on documents that this one judged, and this one need not be asked about all.
            columns[name] = values if judged.equals(ids) else values.take(pa.compute.index_in(ids, value_set=judged))
        rules = json.dumps([asdict(rule) for rule in self._rules])
        return pa.table(columns).replace_schema_metadata({_RULES: rules.encode()})


class ScoreFile:
    """Writes score tables of one part; their columns are those of the first."""

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path = store, path
        self._open: AbstractContextManager[ParquetOutput] | None = None
        self._empty = pa.table({"id": pa.array([], pa.uint64())})

    def write(self, scores: pa.Table) -> None:
        """Adds the scores of one batch."""
        if not scores.num_rows:
            # Filters that met no document need not know their columns yet: batches of nothing but blank lines.
            self._empty = scores
            return
        self._append(scores)

    def _append(self, scores: pa.Table) -> None:
        if self._open is None:
            self._schema = scores.schema
            self._open = self._store.parquet(self._path, scores.schema)
            self._writer = self._open.__enter__()
        if scores.schema != self._schema:
            raise StageError(f"{self._path}: a filter's rules differ from one batch to the next; they must not")
        self._writer.write(scores)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is None and kind is None:
            self._append(self._empty)
        if self._open is not None:
            self._open.__exit__(kind, error, trace)

    def published(self) -> FileEntry:
        """The entry of the finished file."""
        return self._writer.published()


def rules_of(scores: pa.Table) -> list[ScoredRule]:
    """The rules of a score file, in the order in which they are applied."""
    metadata = scores.schema.metadata or {}
    return [ScoredRule(**rule) for rule in json.loads(metadata.get(_RULES, b"[]"))]
