"""Words and their hashes: kernels against their twins."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.words import shingles, word_hashes, words


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


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


def test_a_long_document() -> None:
    hashes, _ = word_hashes(column("word, 中 " * 1_000_000))
    assert len(hashes) == 3_000_000
