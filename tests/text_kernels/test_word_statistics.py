"""The counts of word and line heuristics: kernel against twin, over hostile text."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import word_twins as twin
from hypothesis import given, settings

from text_kernels.word_statistics import word_statistics

SYMBOLS = "#-.…,_\x00\t!"
STOP_WORDS = ("the", "be", "to", "می\u200cشود", "中", "…", "the", "not there", "")


@settings(max_examples=500, deadline=None)
@given(twin.columns())
def test_counts_are_those_of_the_twin(case: tuple[list[str], pa.Array]) -> None:
    documents, array = case
    found = word_statistics(array, SYMBOLS, STOP_WORDS)
    for i, text in enumerate(documents):
        counts = {field.name: int(getattr(found, field.name)[i]) for field in dataclasses.fields(found)}
        assert counts == twin.statistics(text, SYMBOLS, STOP_WORDS)


def test_no_stop_words_and_no_symbols() -> None:
    found = word_statistics(pa.array(["the #", ""], pa.large_string()), "", ())
    assert (found.stop_words.tolist(), found.plain_words.tolist()) == ([0, 0], [2, 0])
