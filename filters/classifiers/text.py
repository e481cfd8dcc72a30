"""Prepares text for a classifier, alike in training and scoring: the beginning of each document, on one line.

fastText reads a line: a newline, a NUL or its own word `</s>` ends it, and a word that begins with `__label__` becomes
another class in training. With spaces set around them, a full stop no longer makes another word of the word before it, and
Chinese, Japanese and Thai, which have no spaces, become characters whose bigrams a model can learn. That costs half the
speed: 13 million characters/s on one busy core, against 25 without.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from eyas.corpus.options import Options

_APART = r"([\p{P}\p{S}]|\p{Han}|\p{Hiragana}|\p{Katakana}|\p{Thai}|\p{Lao}|\p{Khmer}|\p{Myanmar})"
_BLANK = r"[\p{Z}\p{Cc}]+"
_FASTTEXT_BLANK = r"[ \t\n\v\f\r\x00]+"
"""The characters that fastText takes for white space."""


class TextOptions(Options):
    """How a document becomes one line."""

    max_characters: int | None = Field(default=10_000, ge=1)
    """How much of a document the model sees, in code points; null: all of it."""
    lowercase: bool = False
    """Whether case is ignored. By default it counts, because it distinguishes headings and shouting from prose."""
    split: bool = True
    """Put spaces around punctuation, symbols, and the characters of scripts without spaces."""


PLAIN = TextOptions(max_characters=None, split=False)
"""For models not trained by Eyas: only what fastText cannot read is changed."""


def one_line(text: pa.Array | pa.ChunkedArray, options: TextOptions) -> list[str]:
    """Each document as the line that a model sees. `text`: large_string without nulls."""
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    if options.max_characters is not None:
        text = pc.utf8_slice_codeunits(text, 0, options.max_characters)
    if options.lowercase:
        text = pc.utf8_lower(text)
    if options.split:
        text = pc.replace_substring_regex(text, _APART, r" \1 ")
    text = pc.replace_substring_regex(text, _BLANK if options.split else _FASTTEXT_BLANK, " ")
    # Last, and with a space in place of the mark: so no other step can put such a mark together again.
    text = pc.replace_substring_regex(text, r"</s>|__label__", " ")
    lines: list[str] = pc.utf8_trim(text, " ").to_pylist()
    return lines
