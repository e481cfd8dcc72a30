"""What a classifier sees of a document: its beginning, on one line. Training and scoring share this one function.

fastText reads a line: a newline or a NUL ends it, its own word `</s>` too, and a word that begins with `__label__` becomes
a class of its own in training. Set apart, a full stop no longer makes another word of the one before it, and Chinese,
Japanese and Thai, which have no spaces, become characters whose bigrams a model can learn. That costs half the speed:
13 million characters/s on one busy core, against 25 without.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from eyas.corpus.options import Options

_APART = r"([\p{P}\p{S}]|\p{Han}|\p{Hiragana}|\p{Katakana}|\p{Thai}|\p{Lao}|\p{Khmer}|\p{Myanmar})"
_BLANK = r"[\p{Z}\p{Cc}]+"
_FASTTEXT_BLANK = r"[ \t\n\v\f\r\x00]+"
"""What fastText itself takes for white space."""


class TextOptions(Options):
    """How a document becomes one line."""

    max_characters: int | None = Field(default=10_000, ge=1)
    """How much of a document the model sees, in code points; null: all of it."""
    lowercase: bool = False
    """Whether case is put aside. It tells headings and shouting from prose, so by default it is not."""
    split: bool = True
    """Set punctuation, symbols, and the characters of scripts without spaces apart from the words around them."""


PLAIN = TextOptions(max_characters=None, split=False)
"""For models made elsewhere: nothing but what fastText cannot take is changed."""


def one_line(text: pa.Array | pa.ChunkedArray, options: TextOptions) -> list[str]:
    """Each document as the line that a model sees; `text`: large_string without nulls."""
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    if options.max_characters is not None:
        text = pc.utf8_slice_codeunits(text, 0, options.max_characters)
    if options.lowercase:
        text = pc.utf8_lower(text)
    if options.split:
        text = pc.replace_substring_regex(text, _APART, r" \1 ")
    text = pc.replace_substring_regex(text, _BLANK if options.split else _FASTTEXT_BLANK, " ")
    # Last, and by a space: nothing above or beside can put such a mark together again.
    text = pc.replace_substring_regex(text, r"</s>|__label__", " ")
    lines: list[str] = pc.utf8_trim(text, " ").to_pylist()
    return lines
