"""Spans that overlap or touch become one, and a cut document is judged by the words it keeps."""

from __future__ import annotations

import numpy as np

from eyas.corpus.documents import documents
from eyas.filters.dedup.spans import Spans, merged


def arrays(rows: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, ...]:
    document, start, end, other = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return document, start, end, other.astype(np.uint64)


def test_overlapping_and_touching_spans_become_one() -> None:
    rows = [(1, 0, 4, 9), (0, 5, 9, 7), (0, 0, 5, 8), (0, 0, 2, 3), (0, 20, 30, 5), (0, 22, 24, 1)]
    joined = merged(*arrays(rows))
    assert [column.tolist() for column in joined] == [[0, 0, 1], [0, 20, 0], [9, 30, 4], [3, 5, 9]]
    empty = merged(*(column[:0] for column in arrays(rows)))
    assert [len(column) for column in empty] == [0, 0, 0, 0]


def test_a_document_with_few_words_left_is_dropped_unless_others_lost_what_it_keeps() -> None:
    docs = documents([0, 1, 2], ["a b c d", "a b c d", "a b c d"], "s", ["", "", ""])
    spans = Spans(least_words=2)
    spans.add(docs, *arrays([(0, 0, 6, 9), (1, 0, 6, 9)]), np.array([False, True, False]))
    verdict = spans.verdict()
    assert verdict.kept.to_pylist() == [False, True, True]
    assert verdict.reason.to_pylist() == ["short_after_cutting", None, None]
    assert verdict.detail[0].as_py() == "cut 6 bytes in 1 place, a copy from 9"
    assert verdict.columns["repeated_share"].to_pylist() == [6 / 7, 6 / 7, 0.0]
    assert len(Spans(2).verdict()) == 0
