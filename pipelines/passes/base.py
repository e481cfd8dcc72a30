"""What passes share: the state they start from, the result they leave, and samples of what was dropped."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from corpus.ledger import Books
from corpus.part import Part
from corpus.store import FileEntry, Store
from corpus.task import Entry, Step
from pipelines.planning import Pass, Plan

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


@dataclass
class Result:
    """What a pass leaves, and its manifest holds."""

    parts: list[Part] = field(default_factory=list)
    books: dict[str, dict[str, Books]] = field(default_factory=dict)
    """Counts by stage, then by source."""
    ledgers: dict[str, str] = field(default_factory=dict)
    """Ledger file by part number (as text: JSON has no other keys)."""
    samples: list[str] = field(default_factory=list)
    files: list[FileEntry] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    """Figures of this kind of pass, for the report."""
    seconds: float = 0.0
    """Wall time; of the last attempt, if it was interrupted."""

    def collect(self, entries: Iterable[Entry]) -> None:
        """Adds what document tasks returned: parts, books, ledgers, samples, files."""
        for entry in entries:
            self.files += [FileEntry.from_json(file) for file in entry["files"]]
            if "part" in entry:
                self.parts.append(Part.from_json(entry["part"]))
                number = str(self.parts[-1].number)
                self.ledgers[number] = entry["ledger"]
                if entry.get("samples"):
                    self.samples.append(entry["samples"])
                for label, books in entry["books"].items():
                    by_source = self.books.setdefault(label, {})
                    by_source.setdefault(self.parts[-1].source, Books()).add(Books.from_json(books))
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
            files=[FileEntry.from_json(file) for file in data["files"]],
            summary=data["summary"],
            seconds=data["seconds"],
        )


@dataclass
class PassState:
    """What a pass starts from."""

    plan: Plan
    current: Pass
    store: Store
    parts: list[Part]
    """Documents left by the passes before."""
    results: dict[str, Result]
    """Results so far, by the digest of their pass."""

    def of_kind(self, kind: str) -> Result:
        """The result of the only pass of a kind."""
        return next(self.results[p.digest] for p in self.plan.passes if p.kind == kind and p.digest in self.results)


class PassWork(Protocol):
    """Yields steps, gets the entries of each back, and returns the result."""

    def __call__(self, state: PassState) -> Generator[Step, list[Entry], Result]: ...


class Samples:
    """The first few dropped documents of each stage and reason, with an excerpt of their text."""

    def __init__(self) -> None:
        self._count: dict[tuple[str, str], int] = {}
        self._rows: list[dict[str, Any]] = []

    def add(self, dropped: pa.Table, rows: pa.Table) -> None:
        """`dropped`: documents; `rows`: ledger rows of one stage that contain theirs."""
        if not dropped.num_rows:
            return
        text = dict(zip(dropped.column("id").to_pylist(), range(dropped.num_rows), strict=True))
        lost = rows.filter(pa.compute.invert(pa.compute.fill_null(rows.column("kept"), False)))
        reasons = lost.column("reason").cast(pa.string()).to_pylist()
        stage = lost.column("stage")[0].as_py() if lost.num_rows else ""
        for i, reason in enumerate(reasons):
            if self._count.get((stage, reason), 0) >= SAMPLES:
                continue
            row = lost.slice(i, 1).to_pylist()[0]
            at = text.get(row["id"])
            if at is None:
                continue
            self._count[stage, reason] = self._count.get((stage, reason), 0) + 1
            excerpt = dropped.column("text")[at].as_py()[:EXCERPT]
            del row["kept"]
            self._rows.append({**row, "origin": dropped.column("origin")[at].as_py(), "excerpt": excerpt})

    def table(self) -> pa.Table:
        """The samples as a table of `SAMPLE_SCHEMA`."""
        return pa.Table.from_pylist(self._rows, schema=SAMPLE_SCHEMA)
