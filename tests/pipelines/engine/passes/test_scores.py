"""Score files: which rule a column belongs to, thresholds by document, and documents on which a later filter raised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from eyas.corpus.documents import documents
from eyas.corpus.store import Store
from eyas.corpus.verdict import Rule, Verdict
from eyas.errors import StageError
from eyas.pipelines.engine.passes.scores import ScoredRule, ScoreFile, Scores, rules_of, threshold_column


def docs(*texts: str) -> pa.Table:
    return documents(list(range(len(texts))), list(texts), "s", [""] * len(texts))


def judged(table: pa.Table, threshold: float | np.ndarray, reason: str = "too_short") -> Verdict:
    lengths = np.array([len(text) for text in table.column("text").to_pylist()], np.int64)
    rule = Rule.bound(reason, lengths, least=threshold, option="least")
    assert rule is not None
    return Verdict.first_failure([rule], table.num_rows)


def test_scores_thresholds_and_plain_decisions_are_distinct() -> None:
    table = docs("日本語", "", "ab")
    scores = Scores(table)
    scores.add("length", table, judged(table, 2.0))
    scores.add("by_language", table, judged(table, np.array([4.0, 0.0, 2.0])))
    scores.add("plain", table, Verdict.of([True, False, True]))
    written = scores.table()
    assert written.select(["id", "bytes"]).to_pydict() == {"id": [0, 1, 2], "bytes": [9, 0, 2]}
    assert rules_of(written) == [
        ScoredRule("length.too_short", "length", "too_short", "least", False, 2.0),
        ScoredRule("by_language.too_short", "by_language", "too_short", "least", False, None),
        ScoredRule("plain", "plain", None, None, False, None),
    ]
    assert written.column("length.too_short").to_pylist() == [3.0, 0.0, 2.0]
    assert written.column(threshold_column("by_language.too_short")).to_pylist() == [4.0, 0.0, 2.0]
    assert written.column("plain").to_pylist() == [True, False, True]


def test_a_document_that_a_later_filter_could_not_judge_is_in_no_column() -> None:
    table = docs("a", "bb", "ccc")
    scores = Scores(table)
    scores.add("first", table, judged(table, 2.0))
    rest = table.filter(pa.array([True, False, True]))
    scores.add("second", rest, judged(rest, 2.0))
    assert scores.table().select(["id", "first.too_short", "second.too_short"]).to_pydict() == {
        "id": [0, 2],
        "first.too_short": [1.0, 3.0],
        "second.too_short": [1.0, 3.0],
    }


def test_a_file_holds_all_batches_or_an_empty_table(tmp_path: Path) -> None:
    store, table = Store(str(tmp_path)), docs("a", "bb")
    with ScoreFile(store, "scores/a.parquet") as file:
        for _ in range(2):
            scores = Scores(table)
            scores.add("length", table, judged(table, 2.0))
            file.write(scores.table())
    assert file.published().rows == 4 and len(rules_of(store.read_table("scores/a.parquet"))) == 1
    with ScoreFile(store, "scores/empty.parquet") as file:
        pass
    assert file.published().rows == 0 and rules_of(store.read_table("scores/empty.parquet")) == []


def test_rules_that_change_between_batches_are_an_error(tmp_path: Path) -> None:
    table = docs("a")
    with pytest.raises(StageError, match=r"scores.parquet: a filter's rules differ from one batch to the next"):
        with ScoreFile(Store(str(tmp_path)), "scores.parquet") as file:
            for reason in ("too_short", "too_brief"):
                scores = Scores(table)
                scores.add("length", table, judged(table, 2.0, reason))
                file.write(scores.table())
    assert Store(str(tmp_path)).list("") == []


def test_a_batch_without_documents_need_not_know_the_rules(tmp_path: Path) -> None:
    """Thousands of blank lines make batches in which no filter judged anything."""
    store = Store(str(tmp_path))
    table = docs("ab")
    full, empty = Scores(table), Scores(table.slice(0, 0))
    full.add("length", table, judged(table, 2.0))
    empty.add("length", table.slice(0, 0), Verdict.of([]))
    with ScoreFile(store, "scores.parquet") as file:
        for scores in (empty, full, empty):
            file.write(scores.table())
    assert store.read_table("scores.parquet").column("length.too_short").to_pylist() == [2.0]
