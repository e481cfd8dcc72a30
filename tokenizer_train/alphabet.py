"""The byte-level alphabet: a visible character for each of the 256 bytes, so that any text has a vocabulary (GPT-2)."""

from __future__ import annotations

from typing import Final

_PRINTABLE: Final = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS: Final = [byte for byte in range(256) if byte not in _PRINTABLE]

BYTE_ORDER: Final = [*_PRINTABLE, *_OTHERS]
"""The bytes in the order of their characters, which is the order of their ids."""
CHARACTERS: Final = [chr(byte) if byte in _PRINTABLE else chr(256 + _OTHERS.index(byte)) for byte in range(256)]
"""By byte."""
BYTE_OF: Final = {character: byte for byte, character in enumerate(CHARACTERS)}


def to_characters(token: bytes) -> str:
    """A token as tokenizer.json spells it."""
    return "".join(CHARACTERS[byte] for byte in token)


def to_bytes(spelled: str) -> bytes:
    """The bytes of a token that tokenizer.json spells so; KeyError for a character outside the alphabet."""
    return bytes(BYTE_OF[character] for character in spelled)
