"""Overlap of vocabularies is that of sets of bytes."""

from __future__ import annotations

from itertools import product

import pytest
from compared_tokenizers import LATEX, loaded

from eyas.tokenizer_train.report.overlap import overlaps


def test_overlap_is_that_of_sets_of_bytes() -> None:
    own = [loaded("bytes"), loaded("spaces"), LATEX]
    found = overlaps(own)
    sets = [{token for token in one.tokens if token is not None} for one in own]
    for one, (a, b) in zip(found, product(sets, sets), strict=True):
        assert one.jaccard == pytest.approx(len(a & b) / len(a | b))
        assert one.share_of_a == pytest.approx(len(a & b) / len(a))
    assert [one.jaccard for one in found[::4]] == [1, 1, 1]
    assert 0 < found[1].jaccard < 1
