"""Sentences: the kernel against its twin, and known texts."""

from __future__ import annotations

import line_twins as twin
import pyarrow as pa
import pytest
import word_twins
from hypothesis import given, settings

from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.sentences import sentences

TERMINALS = ".!?。।؟"


@settings(max_examples=500, deadline=None)
@given(word_twins.columns())
def test_sentences_are_those_of_the_twin(case: tuple[list[str], pa.Array]) -> None:
    documents, column = case
    start, doc_offsets = sentences(column, TERMINALS)
    offsets = buffers(column)[1]
    for number, text in enumerate(documents):
        begins = start[doc_offsets[number] : doc_offsets[number + 1]] - offsets[number]
        assert [len(text.encode()[:place].decode()) for place in begins.tolist()] == twin.sentences(text, TERMINALS)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("One. Two! Three? Four", 4),
        ("He said “no.” Then he left.", 2),
        ("It is 3.14 in os.path, e.g. this, wait... what.", 1),
        ("一。二。三", 3),
        ("यह एक है। यह दो है।", 2),
        ("Dr. Smith", 2),
    ],
)
def test_sentences_of_known_texts(text: str, count: int) -> None:
    assert len(sentences(pa.array([text], pa.large_string()), TERMINALS)[0]) == count
