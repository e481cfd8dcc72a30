"""NFC is that of `tokenizers`, and texts that are in NFC already are left alone."""

from __future__ import annotations

import pyarrow as pa
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from eyas.tokenizer_train.encoding.nfc import inert, normalise

COMPOSED = st.sampled_from(["e\u0301", "\u0301", "\u1100\u1161\u11a8", "\u212b", "\u0344", "a\u0315\u0300", ">\u0338"])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(HOSTILE | COMPOSED, max_size=4).map("".join), max_size=4))
def test_texts_become_what_tokenizers_makes_of_them(texts: list[str]) -> None:
    composer = normalizers.NFC()
    column = pa.array(["before", *texts], pa.large_string()).slice(1)
    assert normalise(column).to_pylist() == [composer.normalize_str(text) for text in texts]


def test_texts_in_nfc_are_the_same_array() -> None:
    column = pa.array(["Größe", "中文", "\u00e9"], pa.large_string())
    assert normalise(column) is column


def test_code_points_that_compose_are_not_inert() -> None:
    assert inert()[ord("e")] and inert()[0xE9] and inert()[0x4E2D]
    assert not any(inert()[code] for code in (0x301, 0x338, 0x212B, 0x1161, 0x11A8))
