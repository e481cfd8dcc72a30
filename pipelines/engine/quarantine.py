"""Applies a document stage to a table; a document on which it raises is set aside, not lost and not fatal.

When a stage raises on a table, the table is halved until only the documents that cause it are left. That costs a few extra
calls for one bad document. If too many documents are bad, the stage is broken and the run stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa

from eyas.corpus import ledger
from eyas.corpus.documents import NOTE
from eyas.corpus.ledger import Books, Refusal
from eyas.corpus.stage import Filter, Mapper, StageUnavailable
from eyas.corpus.verdict import Verdict
from eyas.errors import BooksError, InputError, StageError

R = TypeVar("R")
MOST_BAD = 32
"""More raising documents than this in one batch (and more than a tenth of it) mean that the stage is broken."""


class StageBroken(StageError):
    """A stage raises on too many documents."""


def apply_mapper(label: str, stage: Mapper, docs: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The mapped documents, and the ledger rows of all that went in."""

    def checked(piece: pa.Table) -> pa.Table:
        out = stage.map(piece)
        Books(documents=piece.num_rows, kept=out.num_rows).check(label, "after map()")
        if not out.column("id").equals(piece.column("id")):
            raise BooksError(f"stage {label!r}: map() changed ids or their order; it must keep both")
        return checked_text(out)

    good, refusals = guarded(label, checked, docs)
    out = pa.concat_tables([result for _, result in good], promote_options="default") if good else docs.slice(0, 0)
    note = out.column(NOTE).combine_chunks().cast(pa.string()) if NOTE in out.column_names else None
    rows = [ledger.accepted(label, out.column("id").combine_chunks(), note), ledger.refused(label, refusals)]
    return out.drop_columns([NOTE]) if note is not None else out, pa.concat_tables(rows)


def checked_text(docs: pa.Table) -> pa.Table:
    """`docs` with its text as large_string; InputError if a text is null or no string."""
    text = docs.column("text")
    if text.null_count:
        raise InputError("a document's text became null; drop it with a filter instead")
    return docs.set_column(docs.column_names.index("text"), "text", text.cast(pa.large_string()))


def apply_filter(label: str, stage: Filter, docs: pa.Table) -> tuple[pa.Table, Verdict, list[Refusal]]:
    """The documents on which the filter did not raise, with the columns it adds; its verdict; refusals of the others."""

    def checked(piece: pa.Table) -> Verdict:
        verdict = stage.judge(piece)
        check_verdict(label, verdict, piece.num_rows)
        return verdict

    good, refusals = guarded(label, checked, docs)
    if not good:
        return docs.slice(0, 0), Verdict.of([]), refusals
    pieces = []
    for piece, verdict in good:
        for name, column in verdict.columns.items():
            position = piece.column_names.index(name) if name in piece.column_names else None
            piece = piece.append_column(name, column) if position is None else piece.set_column(position, name, column)
        pieces.append(piece)
    if len(good) == 1:
        return pieces[0], good[0][1], refusals
    return pa.concat_tables(pieces), Verdict.joined([verdict for _, verdict in good]), refusals


def check_verdict(label: str, verdict: Verdict, documents: int) -> None:
    """Raises `BooksError` unless there is one decision for each document."""
    if verdict.kept.null_count:
        raise BooksError(f"stage {label!r}: its verdict left {verdict.kept.null_count} documents undecided")
    kept = verdict.kept.true_count
    Books(documents=documents, kept=kept, dropped=len(verdict) - kept).check(label, "after its verdict")


def guarded(
    label: str, action: Callable[[pa.Table], R], docs: pa.Table
) -> tuple[list[tuple[pa.Table, R]], list[Refusal]]:
    """What `action` returns for `docs`, or for the largest pieces of it on which it does not raise; refusals of the documents
    on which it does."""
    good: list[tuple[pa.Table, R]] = []
    refusals: list[Refusal] = []
    stack = [docs] if docs.num_rows else []
    while stack:
        piece = stack.pop()
        try:
            good.append((piece, action(piece)))
        except (BooksError, StageUnavailable, MemoryError):
            raise
        except Exception as error:
            if piece.num_rows > 1:
                half = piece.num_rows // 2
                stack += [piece.slice(half), piece.slice(0, half)]
                continue
            refusals.append(_refusal(piece, error))
            if len(refusals) > max(MOST_BAD, docs.num_rows // 10):
                raise StageBroken(
                    f"stage {label!r} raised on {len(refusals)} documents of one batch; the last: {refusals[-1].detail}"
                ) from error
    return good, refusals


def _refusal(piece: pa.Table, error: Exception) -> Refusal:
    origin = piece.column("origin")[0].as_py()
    return Refusal(int(piece.column("id")[0].as_py()), type(error).__name__, f"{origin}: {error}")


def as_json(books: dict[str, Books]) -> dict[str, Any]:
    """Books by stage as JSON."""
    return {label: item.to_json() for label, item in books.items()}
