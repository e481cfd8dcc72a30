"""What text statistics count, by name and by column, and the traits of a code point that the counting needs."""

# Tested in tests/text_kernels/statistics/test_text.py.

from __future__ import annotations

from typing import Final

# Traits of a code point, above the four bits of its action.
TEXT_PLAIN: Final = 1 << 4
TEXT_LETTER: Final = 1 << 5
TEXT_SPACE: Final = 1 << 6
TEXT_BREAK: Final = 1 << 7
TEXT_TERMINAL: Final = 1 << 8
TEXT_NUMBER: Final = 1 << 9
TEXT_UPPER: Final = 1 << 10

LINE_BREAKS: Final = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
"""What ends a line for `str.splitlines`."""

MEANING: Final = {
    "characters": "code points",
    "letters": "code points that are letters",
    "uppercase": "letters that have a lower case",
    "numbers": "code points that are numbers (Unicode N)",
    "spaces": "code points of white space, line breaks included",
    "newlines": "line feeds",
    "words": "words, each symbol being one",
    "plain_words": "words with at least one character that is not among the symbols",
    "plain_characters": "code points in plain words",
    "alphabetic_words": "words with at least one letter",
    "stop_words": "how many of the stop words occur, each counted once, in this very case",
    "hashes": "`#` characters",
    "ellipses": "`…` and non-overlapping `...`",
    "lines": "lines of `str.splitlines`",
    "bullet_lines": "lines whose first character after white space is `•` or `-`",
    "ellipsis_lines": "lines that end in `…` or `...`, white space aside",
    "line_pieces": "pieces between runs of line feeds; empty ones at the start and the end count",
    "repeated_pieces": "pieces that occurred before",
    "repeated_piece_characters": "code points in pieces that occurred before",
    "text_lines": "pieces that are not white space alone",
    "terminal_lines": "text lines whose last character is terminal punctuation",
    "short_lines": "text lines of at most `short_line` code points",
    "repeated_line_characters": "code points in text lines that occurred before",
    "longest_line": "code points of the longest piece",
    "paragraphs": "pieces between two or more line feeds, white space around the document aside",
    "repeated_paragraphs": "paragraphs that occurred before",
    "repeated_paragraph_characters": "code points in paragraphs that occurred before",
}
"""Names of the counts and what each is, in the order of the kernels' columns. n-grams follow them."""
NAMES: Final = tuple(MEANING)
(
    TEXT_COLUMN_CHARACTERS, TEXT_COLUMN_LETTERS, TEXT_COLUMN_UPPERCASE, TEXT_COLUMN_NUMBERS, TEXT_COLUMN_SPACES,
    TEXT_COLUMN_NEWLINES, TEXT_COLUMN_WORDS, TEXT_COLUMN_PLAIN_WORDS, TEXT_COLUMN_PLAIN_CHARACTERS,
    TEXT_COLUMN_ALPHABETIC_WORDS, TEXT_COLUMN_STOP_WORDS, TEXT_COLUMN_HASHES, TEXT_COLUMN_ELLIPSES, TEXT_COLUMN_LINES,
    TEXT_COLUMN_BULLET_LINES, TEXT_COLUMN_ELLIPSIS_LINES, TEXT_COLUMN_PIECES, TEXT_COLUMN_REPEATED_PIECES,
    TEXT_COLUMN_REPEATED_PIECE_CHARACTERS, TEXT_COLUMN_TEXT_LINES, TEXT_COLUMN_TERMINAL_LINES, TEXT_COLUMN_SHORT_LINES,
    TEXT_COLUMN_REPEATED_LINE_CHARACTERS, TEXT_COLUMN_LONGEST_LINE, TEXT_COLUMN_PARAGRAPHS,
    TEXT_COLUMN_REPEATED_PARAGRAPHS, TEXT_COLUMN_REPEATED_PARAGRAPH_CHARACTERS,
) = range(len(NAMES))  # fmt: skip
