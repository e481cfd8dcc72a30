"""Results of passes as an earlier run left them, and the check that what leaves a pass is what goes into the next."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyas.corpus.ledger import Books
from eyas.corpus.sealed import DamagedFile
from eyas.corpus.store import Store
from eyas.errors import BooksError
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Pass
from eyas.pipelines.engine.products import record_of


def load_result(store: Store, planned: Pass) -> Result | None:
    """The result of a pass that is done, its files all there; None if it must be run, or if its product is not in use."""
    if planned.product is not None:
        record = record_of(store, planned.product)
        return record.whole(store) if record is not None and record.digest == planned.digest else None
    try:
        return read_result(store, planned)
    except DamagedFile:
        return None


def read_result(store: Store, planned: Pass) -> Result | None:
    """The result of a pass of documents that is done; None if it must be run. `DamagedFile` if its manifest was changed."""
    path = f"{planned.folder}/manifest.json"
    if not store.exists(path):
        return None
    data = store.read_json(path)
    try:
        if data.pop("digest") != planned.digest:
            return None
        result = Result.from_json(data)
    except (AttributeError, KeyError, TypeError):
        # The manifest is damaged, or of another version: the pass is run again, and its finished tasks are kept.
        return None
    return result if all(store.holds(file) for file in result.files) else None


def stored_results(store: Store) -> dict[str, Result]:
    """Books and summaries by the digest of their pass, as the manifest of a finished run holds them."""
    if not store.exists("manifest.json"):
        return {}
    results = {}
    try:
        passes = store.read_json("manifest.json").get("passes", [])
    except DamagedFile:
        return {}  # the run that finds it writes it again
    for entry in passes:
        books = {
            label: {source: Books.from_json(one) for source, one in by_source.items()}
            for label, by_source in entry["books"].items()
        }
        results[entry["digest"]] = Result(books=books, summary=entry["summary"], seconds=entry["seconds"])
    return results


def check_flow(planned: Pass, before: Sequence[Any], result: Result) -> None:
    """Raises `BooksError` unless what left the pass before is what went into this one, stage after stage."""
    flow = sum(part.kept for part in before)
    labels = [named.label for named in planned.stages]
    if planned.makes_documents:
        generated = sum(part.kept for part in result.parts) - flow
        kept = result.total(labels[0]).kept if result.books.get(labels[0]) else 0
        _equal(planned, labels[0], "kept", kept, generated)
        return
    if planned.reads:
        flow = result.total("read").kept if "read" in result.books else 0
    for label in labels:
        books = result.total(label)
        books.check(label, planned.label)
        _equal(planned, label, "got", books.documents, flow)
        flow = books.left
    _equal(planned, labels[-1] if labels else "read", "kept", flow, sum(part.kept for part in result.parts))


def _equal(planned: Pass, label: str, verb: str, booked: int, counted: int) -> None:
    if booked != counted:
        raise BooksError(
            f"{planned.label}: the books do not balance: by the ledger, {label!r} {verb} {booked:,} documents, but there "
            f"are {counted:,}. This is a defect; nothing was published."
        )
