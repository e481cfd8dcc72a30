"""The similarity that an audit computes from two texts."""

from __future__ import annotations

import pickle

import pytest

from eyas.filters.dedup.audit import Pair
from eyas.filters.dedup.jaccard_audit import JaccardAuditor
from eyas.filters.dedup.minhash import MinhashDedup


def folding(source: str) -> tuple[bool, bool, bool]:
    return source == "folded", source == "folded", source == "folded"


@pytest.mark.parametrize(("source", "similarity"), [("folded", 1.0), ("plain", 0.2)])
def test_similarity_by_hand(source: str, similarity: float) -> None:
    kept, dropped = ({"text": text, "source": source} for text in ("Page 1 of a book!", "page 2 of a book!"))
    right, value = JaccardAuditor(0.5, 3, folding).right(Pair(kept, dropped))
    assert (right, value) == (similarity >= 0.5, pytest.approx(similarity, abs=0.15))


def test_few_words_are_one_shingle_and_none_are_none() -> None:
    auditor = JaccardAuditor(0.5, 5, folding)
    assert auditor.shingles("two words", "plain") == {("two", "words")}
    assert auditor.shingles("?! …", "folded") == set()


def test_an_auditor_travels_with_the_folding_of_its_stage() -> None:
    stage = MinhashDedup(fold_case=["web"])
    auditor = pickle.loads(pickle.dumps(JaccardAuditor(stage.verify_jaccard, 1, stage.folding)))
    assert auditor.shingles("Word", "web") == {("word",)} and auditor.shingles("Word", "wiki") == {("Word",)}
