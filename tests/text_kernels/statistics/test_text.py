"""The counts of heuristic filters: kernel against twin, over hostile and over repetitive text."""

from __future__ import annotations

import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.statistics.text import MEANING, NAMES, Counted, text_statistics

COUNTED = Counted(
    symbols="#-.…,_\x00\t!",
    stop_words=(("the", "be", "to", "می\u200cشود", "中", "…", "a", "the", "not there", ""), ("to", "3.14")),
    terminals=".!？",
    short_line=4,
    top=(1, 2, 3, 5),
    repeated=(1, 2, 3, 4, 5, 7),
)
# Few words, few boundaries: much is repeated, and the same characters fall into different words.
REPETITIVE = st.lists(st.sampled_from(["a", "b", "ab", "ba", "1", ",", " ", " ", "\n", "\n\n", "é"]), max_size=60).map(
    "".join
)
LONG = st.lists(st.sampled_from(["the quick brown fox ", "jumps over ", "thequick ", "the ", "\n\n"]), max_size=40).map(
    "".join
)


def counts(documents: list[str], array: pa.Array, counted: Counted, which: list[int]) -> None:
    counted_rows = text_statistics(array, counted, which)
    assert counted_rows.shape == (len(documents), len(counted.names))
    for text, row, chosen in zip(documents, counted_rows.tolist(), which, strict=True):
        stop_words = counted.stop_words[chosen] if chosen >= 0 else ()
        assert dict(zip(counted.names, row, strict=True)) == twin.statistics(text, counted, stop_words)


@settings(max_examples=400, deadline=None)
@given(twin.columns(), st.data())
def test_counts_are_those_of_the_twin(case: tuple[list[str], pa.Array], data: st.DataObject) -> None:
    documents, array = case
    which = [data.draw(st.integers(-1, 1)) for _ in documents]
    counts(documents, array, COUNTED, which)


@settings(max_examples=400, deadline=None)
@given(st.lists(REPETITIVE | LONG, min_size=1, max_size=3))
def test_repetition_is_that_of_the_twin(documents: list[str]) -> None:
    counts(documents, pa.array(documents, pa.large_string()), COUNTED, [0] * len(documents))


def test_every_count_is_explained_and_n_grams_follow() -> None:
    assert tuple(MEANING) == NAMES
    assert COUNTED.names[len(NAMES) :] == (
        *("top_1_gram", "top_2_gram", "top_3_gram", "top_5_gram"),
        *(f"repeated_{n}_grams" for n in COUNTED.repeated),
    )


def test_without_n_grams_stop_words_or_symbols() -> None:
    counted_rows = text_statistics(pa.array(["the #", ""], pa.large_string()), Counted())
    names = Counted().names
    assert [row[names.index("plain_words")] for row in counted_rows.tolist()] == [2, 0]
    assert [row[names.index("stop_words")] for row in counted_rows.tolist()] == [0, 0]


def test_a_thue_morse_text_does_not_fool_the_hash() -> None:
    """Modulo 2^64 every polynomial hash takes this word and its complement for the same string; ours must not."""
    word = "a"
    for _ in range(12):
        word += word.translate(str.maketrans("ab", "ba"))
    other = word.translate(str.maketrans("ab", "ba"))
    text = pa.array([f"{word} {other}", f"{word} {word}"], pa.large_string())
    counted = Counted(repeated=(1,))
    column = counted.names.index("repeated_1_grams")
    assert text_statistics(text, counted)[:, column].tolist() == [0, len(word)]


def test_words_longer_than_the_table_of_powers() -> None:
    long = "x" * 10_000
    counts(
        [f"{long} {long} {long}y"],
        pa.array([f"{long} {long} {long}y"], pa.large_string()),
        Counted(repeated=(1, 2)),
        [0],
    )


def test_too_many_lists_of_stop_words() -> None:
    with pytest.raises(ValueError, match="at most 64"):
        text_statistics(pa.array(["x"], pa.large_string()), Counted(stop_words=tuple((str(i),) for i in range(65))))
