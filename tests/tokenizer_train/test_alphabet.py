"""The byte-level alphabet is that of `tokenizers`, and spelling is reversible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from eyas.tokenizer_train.alphabet import BYTE_OF, BYTE_ORDER, CHARACTERS, to_bytes, to_characters


def test_it_is_the_alphabet_of_tokenizers() -> None:
    assert set(CHARACTERS) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(BYTE_ORDER) == list(range(256))
    assert [CHARACTERS[byte] for byte in BYTE_ORDER] == sorted(CHARACTERS)
    assert all(BYTE_OF[character] == byte for byte, character in enumerate(CHARACTERS))


@given(st.binary())
def test_bytes_come_back_from_their_spelling(token: bytes) -> None:
    assert to_bytes(to_characters(token)) == token


def test_a_character_outside_the_alphabet_is_refused() -> None:
    assert to_characters(b" the") == "Ġthe"
    with pytest.raises(KeyError):
        to_bytes("a b")
