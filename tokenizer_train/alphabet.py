"""The byte-level alphabet of GPT-2: a visible character for each of the 256 bytes, so that tokens can be spelled in JSON."""

from __future__ import annotations

from typing import Final

_PRINTABLE: Final = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS: Final = [byte for byte in range(256) if byte not in _PRINTABLE]

BYTE_ORDER: Final = [*_PRINTABLE, *_OTHERS]
"""The bytes in the order of their characters, which is the order of their ids."""
CHARACTERS: Final = [chr(byte) if byte in _PRINTABLE else chr(256 + _OTHERS.index(byte)) for byte in range(256)]
"""The character of each byte."""
BYTE_OF: Final = {character: byte for byte, character in enumerate(CHARACTERS)}
"""The byte of each character."""


def to_characters(token: bytes) -> str:
    """The token as tokenizer.json spells it."""
    return "".join(CHARACTERS[byte] for byte in token)


def to_bytes(spelled: str) -> bytes:
    """The bytes of a token in the spelling of tokenizer.json; KeyError for a character outside the alphabet."""
    return bytes(BYTE_OF[character] for character in spelled)
