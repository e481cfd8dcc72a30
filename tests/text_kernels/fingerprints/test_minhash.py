"""Signatures from text against their definition: the least of each lane over the twin's shingles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.fingerprints import minhash
from eyas.text_kernels.fingerprints.minhash import signatures

LANES = 5
CONSTANTS = np.random.default_rng(0).integers(0, 2**64, (2, LANES), dtype=np.uint64) | np.uint64(1)
OPTIONS = st.tuples(st.booleans(), st.booleans(), st.booleans())


def expected(text: str, n: int, options: tuple[bool, bool, bool]) -> list[int]:
    shingles = twin.shingles(twin.word_hashes(text, *options), n)
    pairs = zip(*CONSTANTS.tolist(), strict=True)
    return [min([(a * x + b) % 2**64 >> 32 for x in shingles], default=2**32 - 1) for a, b in pairs]


@settings(max_examples=300, deadline=None)
@given(twin.columns(), st.integers(1, 6), OPTIONS)
def test_signatures_are_those_of_the_twin(
    case: tuple[list[str], pa.Array], n: int, options: tuple[bool, bool, bool]
) -> None:
    documents, array = case
    found, full = signatures(array, n, *CONSTANTS, *options)
    assert found.tolist() == [expected(text, n, options) for text in documents]
    assert full.tolist() == [bool(twin.word_hashes(text, *options)) for text in documents]


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("unit", ["ab ", "a", ".", "é,", "汉", "🎉x", "x" * 37 + " y", " " * 50 + "z"])
def test_stretches_of_text_meet_without_a_seam(unit: str, n: int) -> None:
    """Words, pairs of bytes and shingles lie across the borders of the buffer, at every offset."""
    for shift in range(7):
        text = "q" * shift + unit * (3 * minhash.SEGMENT // len(unit.encode())) + "end"
        found, _ = signatures(pa.array([text], pa.large_string()), n, *CONSTANTS)
        assert found[0].tolist() == expected(text, n, (True, False, False))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one word"):
        signatures(pa.array(["a"], pa.large_string()), 0, *CONSTANTS)
    with pytest.raises(ValueError, match="large_string"):
        signatures(pa.array(["a"]), 5, *CONSTANTS)
