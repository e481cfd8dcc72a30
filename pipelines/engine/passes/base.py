"""The base of all passes: the state they start from, the result they leave, and samples of dropped documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypeVar

from eyas.corpus.ledger import Books
from eyas.corpus.part import Part
from eyas.corpus.sources.columns import PlannedColumn, schema_of
from eyas.corpus.stage import Stage
from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import Steps, TaskEntry
from eyas.pipelines.engine.columns import Layout, Planned, layout_of
from eyas.pipelines.engine.passes.records import CuratedSummary, DocumentsEntry, TokenizerSummary
from eyas.pipelines.engine.planning import Kind, Pass, Plan

SAMPLES = 3
"""Samples kept per stage, reason and part."""
EXCERPT = 600
"""Characters of text in a sample."""

SAMPLE_SCHEMA = pa.schema(
    [
        ("id", pa.uint64()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
        ("origin", pa.string()),
        ("excerpt", pa.string()),
    ]
)


S = TypeVar("S", default=Any)
C = TypeVar("C", bound=Stage)


@dataclass
class Result(Generic[S]):
    """The result of a pass, which its manifest holds. S: the type of its summary, declared in `records`."""

    parts: list[Part] = field(default_factory=list)
    books: dict[str, dict[str, Books]] = field(default_factory=dict)
    """Counts by stage, then by source."""
    ledgers: dict[str, str] = field(default_factory=dict)
    """Ledger file by part number (as text: JSON has no other keys)."""
    samples: list[str] = field(default_factory=list)
    scores: dict[str, list[str]] = field(default_factory=dict)
    """Score files by part number: one for each group of fused filters, in their order."""
    files: list[FileEntry] = field(default_factory=list)
    summary: S = field(default_factory=dict)  # type: ignore[assignment]
    """Figures of this kind of pass, for the report."""
    seconds: float = 0.0
    """Wall time; that of the last attempt if the pass was interrupted."""

    def collect(self, entries: Iterable[DocumentsEntry]) -> None:
        """Adds what document tasks returned: parts, books, ledgers, samples, files."""
        for entry in entries:
            self.files += files_of([entry])
            part = Part.from_json(entry["part"])
            self.parts.append(part)
            self.ledgers[str(part.number)] = entry["ledger"]
            self.scores[str(part.number)] = entry.get("scores", [])
            if samples := entry.get("samples"):
                self.samples.append(samples)
            for label, books in entry["books"].items():
                self.books.setdefault(label, {}).setdefault(part.source, Books()).add(Books.from_json(books))
        self.parts.sort(key=lambda part: part.number)

    def total(self, label: str) -> Books:
        """The books of a stage over all sources."""
        total = Books()
        for books in self.books.get(label, {}).values():
            total.add(books)
        return total

    def to_json(self) -> dict[str, Any]:
        """The content of a pass's manifest."""
        return {
            "parts": [part.to_json() for part in self.parts],
            "books": {
                label: {source: books.to_json() for source, books in by_source.items()}
                for label, by_source in self.books.items()
            },
            "ledgers": self.ledgers,
            "samples": self.samples,
            "scores": self.scores,
            "files": [file.to_json() for file in self.files],
            "summary": self.summary,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """The result that `to_json` wrote."""
        return cls(
            parts=[Part.from_json(part) for part in data["parts"]],
            books={
                label: {source: Books.from_json(books) for source, books in by_source.items()}
                for label, by_source in data["books"].items()
            },
            ledgers=data["ledgers"],
            samples=data["samples"],
            scores=data["scores"],
            files=[FileEntry.from_json(file) for file in data["files"]],
            summary=data["summary"],
            seconds=data["seconds"],
        )


def files_of(entries: Iterable[TaskEntry]) -> list[FileEntry]:
    """The files that tasks published."""
    return [FileEntry.from_json(file) for entry in entries for file in entry["files"]]


@dataclass
class PassState:
    """The state that a pass starts from."""

    plan: Plan
    current: Pass
    store: Store
    parts: list[Part]
    """The documents that the passes before left."""
    results: dict[str, Result]
    """Results so far, by the digest of their pass."""

    def _product(self, kind: Kind) -> Result:
        return next(self.results[p.digest] for p in self.plan.passes if p.kind == kind and p.digest in self.results)

    @property
    def curated(self) -> Result[CuratedSummary]:
        """The curated documents, from which every later product is made."""
        return self._product("curated")

    @property
    def tokenizer(self) -> Result[TokenizerSummary]:
        """The tokenizer, with which shards are made."""
        return self._product("tokenizer")

    @property
    def inputs(self) -> Planned:
        """The columns that each source gives, once the sources were surveyed."""
        first = self.results.get(self.plan.passes[0].digest)
        stored = first.summary.get("columns") if first is not None else None
        if stored is None:  # a run of the first edition, or before reading
            sources = self.plan.recipe.options.sources
            return {
                entry.name: [PlannedColumn(name, name, kind, "text") for name, kind in entry.source.carried.items()]
                for entry in sources
            }
        return {source: [PlannedColumn.from_json(one) for one in columns] for source, columns in stored.items()}

    def layout(self, inputs: Planned | None = None) -> Layout:
        """The columns of the documents that the current pass leaves. inputs: those of the sources, if known already."""
        before = [p for p in self.plan.passes if p.product is None]
        if self.current.product is None:
            before = before[: before.index(self.current) + 1]
        stages = [named for p in before for named in p.stages]
        return layout_of(schema_of(self.inputs if inputs is None else inputs), stages)

    def stage(self, kind: type[C]) -> tuple[str, C]:
        """The label and the stage of a pass that has only one, which is of the class `kind`."""
        (named,) = self.current.stages
        if not isinstance(named.stage, kind):
            raise TypeError(f"{named.label}: the pass is for a {kind.__name__}, not for a {type(named.stage).__name__}")
        return named.label, named.stage


class PassWork(Protocol):
    """A generator that yields steps, is sent the entries of each, and returns the result."""

    def __call__(self, state: PassState) -> Steps[Result]: ...


class Samples:
    """The first few dropped documents of each stage and reason, with an excerpt of their text."""

    def __init__(self) -> None:
        self._count: dict[tuple[str, str], int] = {}
        self._rows: list[dict[str, Any]] = []

    def add(self, docs: pa.Table, rows: pa.Table) -> None:
        """Adds samples of the documents that a stage dropped.

        rows: its ledger rows. docs: documents, ids ascending, that include those it dropped.
        """
        lost = rows.filter(pc.invert(pc.fill_null(rows.column("kept"), False)))
        if not lost.num_rows or not docs.num_rows:
            return
        stage = lost.column("stage")[0].as_py()
        ids = docs.column("id").to_numpy()
        reasons = lost.column("reason").combine_chunks().cast(pa.string())
        for reason in pc.unique(reasons).to_pylist():
            missing = SAMPLES - self._count.get((stage, reason), 0)
            for row in lost.filter(pc.equal(reasons, reason)).slice(0, max(missing, 0)).to_pylist():
                index = int(np.searchsorted(ids, row["id"]))
                if index == len(ids) or ids[index] != row["id"]:
                    continue  # quarantined: it may have no text
                self._count[stage, reason] = self._count.get((stage, reason), 0) + 1
                excerpt = docs.column("text")[index].as_py()[:EXCERPT]
                del row["kept"]
                self._rows.append({**row, "origin": docs.column("origin")[index].as_py(), "excerpt": excerpt})

    def table(self) -> pa.Table:
        """The samples as a table of `SAMPLE_SCHEMA`."""
        return pa.Table.from_pylist(self._rows, schema=SAMPLE_SCHEMA)
