"""Reads a source the way the engine does, and returns every record: row number, text or reason, origin or message."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from eyas.corpus.documents import documents
from eyas.corpus.sources.base import Source


@dataclass(frozen=True)
class Record:
    """A document has a text; a reject has a reason and a message."""

    row: int
    origin: str
    text: str | None = None
    reason: str | None = None
    message: str = ""
    dropped: bool = False


def read_all(source: Source, partition_bytes: int = 1 << 40) -> list[Record]:
    """All records of all splits, numbered through; batches must make document tables."""
    found: list[Record] = []
    for split in source.splits(source.files("src"), partition_bytes):
        for batch in source.read(split, len(found)):
            table = documents(
                batch.rows, batch.texts, "src", batch.origins, {k: pa.array(v) for k, v in batch.extra.items()}
            )
            table.validate(full=True)
            rows = zip(batch.rows, table.column("origin").to_pylist(), table.column("text").to_pylist(), strict=True)
            records = [Record(*row) for row in rows]
            records += [Record(r.row, r.origin, None, r.reason, r.message, r.dropped) for r in batch.rejects]
            found += sorted(records, key=lambda record: record.row)
    assert [record.row for record in found] == list(range(len(found))), "a row number is missing, doubled or misplaced"
    return found


def texts(source: Source, partition_bytes: int = 1 << 40) -> list[str]:
    """The documents' texts; the source must have no rejects."""
    found = read_all(source, partition_bytes)
    assert [record for record in found if record.reason] == []
    return [record.text or "" for record in found]
