"""The ledger: rows of one schema whatever the decision, and books that balance or stop the run."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus import Verdict, ledger
from eyas.corpus.ledger import Books, Refusal
from eyas.errors import BooksError

FATES = st.lists(st.sampled_from(["kept", "short", "long", "raised", "empty"]))


def rows_of(fates: list[str]) -> pa.Table:
    """Ledger rows as the engine makes them: a verdict on what could be judged, refusals for the rest."""
    judged = [(i, fate) for i, fate in enumerate(fates) if fate in ("kept", "short", "long")]
    verdict = Verdict.of([fate == "kept" for _, fate in judged], reason=[fate for _, fate in judged], score=0.5)
    refusals = [
        Refusal(i, fate, "why", dropped=fate == "empty") for i, fate in enumerate(fates) if fate in ("raised", "empty")
    ]
    ids = pa.array([i for i, _ in judged], pa.uint64())
    return pa.concat_tables([ledger.decisions("stage", ids, verdict), ledger.refused("stage", refusals)])


@settings(deadline=None)
@given(FATES)
def test_books_count_every_fate_once(fates: list[str]) -> None:
    counts = Counter(fates)
    books = Books.of(rows_of(fates), len(fates))
    books.check("stage", "here")
    assert books.kept == counts["kept"]
    assert books.dropped == counts["short"] + counts["long"] + counts["empty"]
    assert books.quarantined == counts["raised"]
    assert books.reasons == {fate: n for fate, n in counts.items() if fate != "kept"}


@settings(deadline=None)
@given(FATES, st.integers(-3, 3).filter(bool))
def test_a_lost_or_invented_document_stops_the_run(fates: list[str], difference: int) -> None:
    books = Books.of(rows_of(fates), len(fates) + difference)
    with pytest.raises(BooksError, match=r"part-7.*'stage'.*do not balance"):
        books.check("stage", "part-7")


@settings(deadline=None)
@given(FATES, FATES)
def test_sums_of_books_are_books_and_json_keeps_them(left: list[str], right: list[str]) -> None:
    total = Books.of(rows_of(left), len(left))
    total.bytes_in, total.seconds = 10, 0.5
    total.add(Books.of(rows_of(right), len(right)))
    both = Books.of(rows_of(left + right), len(left + right))
    both.bytes_in, both.seconds = 10, 0.5
    assert total == both
    assert Books.from_json(json.loads(json.dumps(total.to_json()))) == total


def test_rows_say_kept_dropped_or_undecided() -> None:
    ids = np.array([4, 5], np.uint64)
    kept = ledger.accepted("read", ids, pa.array(["a#0", "a#1"]))
    refused = ledger.refused("read", [Refusal(6, "empty", "blank", dropped=True), Refusal(7, "broken_json", "line 4")])
    rows = pa.concat_tables([kept, refused, ledger.refused("read", [])])
    assert rows.schema == ledger.SCHEMA
    assert rows.column("kept").to_pylist() == [True, True, False, None]
    assert rows.column("reason").to_pylist() == [None, None, "empty", "broken_json"]
    assert rows.column("id").to_pylist() == [4, 5, 6, 7]
