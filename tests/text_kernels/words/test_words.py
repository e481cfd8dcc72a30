"""Words, their hashes and shingles: kernels against their twins, and the examples that the rule promises."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.words import jaccard, shingles, word_hashes, words


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def split(text: str) -> list[str]:
    array = column(text)
    start, end, _ = words(array)
    data = buffers(array)[0].tobytes()
    return [data[i:j].decode() for i, j in zip(start, end, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop: it’s 3.14, not 1,000!", ["Don't", "stop", ":", "it’s", "3.14", ",", "not", "1,000", "!"]),
        ("os.path 'quoted' x'2 rock'n'roll", ["os", ".", "path", "'", "quoted", "'", "x", "'", "2", "rock'n'roll"]),
        ("snake_case ____ __init__", ["snake_case", "____", "__init__"]),
        ("人工知能カタ한국어", ["人", "工", "知", "能", "カ", "タ", "한국어"]),
        ("cafe\u0301 ❤\ufe0f 1\ufe0f\u20e3 \u0301a", ["cafe\u0301", "❤\ufe0f", "1\ufe0f\u20e3", "\u0301a"]),
        ("می\u200cشود \u200cx co\xadop", ["می\u200cشود", "x", "co\xadop"]),
        ("สวัสดีชาวโลก ສະບາຍດີ", ["สวัสดีชาวโลก", "ສະບາຍດີ"]),
        ("col·lecció a\0b\u200bc", ["col·lecció", "a", "b", "c"]),
        ("1.2.3 4. .5 a.", ["1.2.3", "4", ".", ".", "5", "a", "."]),
        ("", []),
        (" \n\0\x7f\ue000", []),
    ],
)
def test_the_rule_by_example(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@settings(max_examples=300, deadline=None)
@given(twin.columns())
def test_words_are_those_of_the_twin(case: tuple[list[str], pa.Array]) -> None:
    documents, array = case
    start, end, doc_offsets = words(array)
    data = buffers(array)[0].tobytes()
    assert len(doc_offsets) == len(documents) + 1
    for i, text in enumerate(documents):
        pairs = zip(start[doc_offsets[i] : doc_offsets[i + 1]], end[doc_offsets[i] : doc_offsets[i + 1]], strict=True)
        assert [data[a:b].decode() for a, b in pairs] == [text[a:b] for a, b in twin.words(text)]


@settings(max_examples=300, deadline=None)
@given(twin.columns(), st.booleans(), st.booleans(), st.booleans())
def test_hashes_are_those_of_the_twin(case: tuple[list[str], pa.Array], lower: bool, fold: bool, skip: bool) -> None:
    documents, array = case
    hashes, doc_offsets = word_hashes(array, lower=lower, fold_digits=fold, skip_punctuation=skip)
    expected = [twin.word_hashes(text, lower, fold, skip) for text in documents]
    assert hashes.tolist() == list(chain(*expected))
    assert np.diff(doc_offsets).tolist() == [len(found) for found in expected]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=12), max_size=5), st.integers(1, 6))
def test_shingles_are_those_of_the_twin(documents: list[list[int]], n: int) -> None:
    hashes = np.array(list(chain(*documents)), np.uint64)
    doc_offsets = np.concatenate([[0], np.cumsum([len(d) for d in documents])]).astype(np.int64)
    found, offsets = shingles(hashes, doc_offsets, n)
    expected = [twin.shingles(document, n) for document in documents]
    assert found.tolist() == list(chain(*expected))
    assert np.diff(offsets).tolist() == [len(e) for e in expected]


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 20) | st.integers(0, 2**64 - 1)), st.sets(st.integers(0, 20)))
def test_jaccard_is_that_of_the_twin(a: set[int], b: set[int]) -> None:
    left, right = sorted(a), sorted(b)
    assert jaccard(np.array(left, np.uint64), np.array(right, np.uint64)) == twin.jaccard(left, right)


def test_hashes_never_change() -> None:
    """Digests of corpora are made of them: if this fails, the hash broke its promise, not the test."""
    hashes, _ = word_hashes(column("The ﬁne 中 2,048 #"))
    assert [f"{value:016x}" for value in hashes.tolist()] == [
        "2311b144220375cd",
        "442fbc9d05d1621e",
        "5f803374483bd4a9",
        "fc468d1aa6ab1654",
        "2a9a4e492ef6da72",
    ]
    found, _ = shingles(hashes, np.array([0, len(hashes)], np.int64), 8)
    assert f"{found[0]:016x}" == "8daac0ee81da7d8f"


def test_normalisation() -> None:
    def one(text: str, **options: bool) -> int:
        (value,) = word_hashes(column(text), **options)[0].tolist()
        return int(value)

    assert one("STRASSE") == one("strasse") != one("STRASSE", lower=False)
    assert one("co\xadop") == one("coop")
    assert one("2,048", fold_digits=True) == one("9,٣76", fold_digits=True) != one("2,048")
    assert one("İ") == one("İ", lower=False), "it lowers to two code points, hence it stays"
    assert len(word_hashes(column("a, b! ____ 中 1 …"), skip_punctuation=True)[0]) == 4


def test_short_documents_have_one_shingle_and_empty_ones_none() -> None:
    hashes, doc_offsets = word_hashes(column("", "one two", "a b c d e", "…"))
    assert np.diff(shingles(hashes, doc_offsets, 5)[1]).tolist() == [0, 1, 1, 1]
    with pytest.raises(ValueError, match="at least one word"):
        shingles(hashes, doc_offsets, 0)


def test_nothing_is_copied_and_slices_count_from_their_parent() -> None:
    array = column("zero", "one word", "two")
    data, offsets = buffers(array[1:])
    assert data.ctypes.data == array.buffers()[2].address
    assert bytes(data[offsets[0] : offsets[1]]) == b"one word"


@pytest.mark.parametrize(
    "empty",
    [
        column(),
        column("a", "b")[1:1],
        pa.chunked_array([], pa.large_string()),
        pa.chunked_array([column(), column()]),
        pa.table({"text": column("a")}).slice(1).column("text"),
    ],
)
def test_no_documents(empty: pa.Array) -> None:
    assert words(empty)[2].tolist() == [0]
    hashes, doc_offsets = word_hashes(empty)
    assert (len(hashes), doc_offsets.tolist()) == (0, [0])
    assert shingles(hashes, doc_offsets, 5)[1].tolist() == [0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pa.array(["a"], pa.string()), "must be large_string, found string"),
        (pa.chunked_array([pa.array(["a"])]), "must be large_string"),
        (pa.array(["a", None], pa.large_string()), "1 nulls"),
        (["a"], "found list"),
    ],
)
def test_what_is_no_text_is_refused_in_words(text: pa.Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        words(text)


def test_a_long_document() -> None:
    hashes, _ = word_hashes(column("word, 中 " * 1_000_000))
    assert len(hashes) == 3_000_000
