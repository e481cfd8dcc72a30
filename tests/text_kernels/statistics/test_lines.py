"""Lines, sentences and phrases: kernels against twins, over hostile text and text full of marks."""

from __future__ import annotations

import line_twins as twin
import numpy as np
import pyarrow as pa
import word_twins
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.statistics.lines import join_lines, keep_lines, line_statistics
from eyas.text_kernels.utf8 import buffers

TERMINALS = ".!?。।؟"
PHRASES = ("javascript", "use cookies", "uses cookies", "Σας", "a", "aa", "read more...")
MARKED = st.lists(
    st.sampled_from(
        ["[", "]", "[1]", "[12", "[edit]", "[citation needed]", "[٣]", "java", "script", "JavaScript", "use coo\u212aies",
         "İ", "{", "aa", "ΣΑΣ", "read more...", ". ", "! ", "e.g. this", "。", "” ", ".)", "...", " ", "\n", "\r\n", "\x1f",
         "Word", "word", "\u00a0", "3.14 "]
    ) | st.text(max_size=3),
    max_size=25,
).map("".join)  # fmt: skip
NAMES = (
    "words",
    "longest_word",
    "characters",
    "letters",
    "uppercase",
    "numbers",
    "sentences",
    "last",
    "dots",
    "braces",
)


def text_of(column: pa.Array | pa.ChunkedArray, start: np.ndarray, end: np.ndarray) -> list[str]:
    data = buffers(column)[0].tobytes()
    return [data[i:j].decode() for i, j in zip(start.tolist(), end.tolist(), strict=True)]


@settings(max_examples=500, deadline=None)
@given(st.lists(MARKED | word_twins.HOSTILE, max_size=4), st.booleans(), st.booleans())
def test_lines_are_those_of_the_twin(documents: list[str], citations: bool, by_sentence: bool) -> None:
    column = pa.array(documents, pa.large_string())
    lines = line_statistics(column, PHRASES, TERMINALS, by_sentence=by_sentence, citations=citations)
    expected: list[str] = []
    for text in documents:
        starts = [*twin.sentences(text, TERMINALS), len(text)]
        pieces = [text[i:j] for i, j in zip(starts, starts[1:], strict=False)] if by_sentence else text.splitlines()
        expected += pieces
    assert text_of(column, lines.start, lines.end) == [line.strip() for line in expected]
    rows = [*lines.counts.tolist(), lines.anywhere.tolist(), lines.at_start.tolist(), lines.at_end.tolist()]
    names = (*NAMES, "anywhere", "at_start", "at_end")
    for line, values in zip(expected, zip(*rows, strict=True), strict=True):
        assert dict(zip(names, values, strict=True)) == twin.line(line, PHRASES, TERMINALS, citations)


@settings(max_examples=300, deadline=None)
@given(st.lists(MARKED, max_size=4), st.booleans(), st.randoms(use_true_random=False))
def test_lines_are_kept_and_joined(documents: list[str], citations: bool, random: object) -> None:
    column = pa.array(["before\n", *documents], pa.large_string()).slice(1)
    lines = line_statistics(column, PHRASES, TERMINALS, citations=citations)
    keep = np.array([hash(line) % 3 > 0 for line in text_of(column, lines.start, lines.end)], np.bool_)
    kept, joined, number = [], [], 0
    for text in documents:
        pieces = text.splitlines(keepends=True)
        kept_pieces = [
            piece for piece, wanted in zip(pieces, keep[number : number + len(pieces)], strict=True) if wanted
        ]
        number += len(pieces)
        kept.append("".join(kept_pieces))
        stripped = [piece.strip() for piece in kept_pieces]
        stripped = stripped if citations else [twin.CITATION.sub("", piece) for piece in stripped]
        joined.append("\n".join(stripped).strip())
    assert keep_lines(column, lines, keep).to_pylist() == kept
    joined_lines = join_lines(column, lines, keep, citations=citations).to_pylist()
    # A first line that is empty takes no separator, and the result is stripped either way.
    assert joined_lines == joined
