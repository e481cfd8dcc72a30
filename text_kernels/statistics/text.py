"""Everything that heuristic filters ask of a document, counted in one walk over its bytes.

Words are those of `word_rules`; white space and lines are Python's. The walk leaves the hashes of words, lines and
paragraphs behind, and what is repeated is then read off those (`repetition`), not off the text. The trade: every count
is made whether or not a rule asks for it, which is still less than a second walk; only n-grams, which cost as much as
all the rest, are counted by request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics.modular import append, first_powers, stretch
from eyas.text_kernels.statistics.repetition import (
    HEAD,
    duplicates,
    mask_for,
    maybe_repeated,
    repeated_n_grams,
    top_n_gram,
)
from eyas.text_kernels.types import I64, U16, U64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode
from eyas.text_kernels.words.rules import ACTION, OUTSIDE, START, STATE, actions, step

# Traits of a code point, above the four bits of its action.
TEXT_PLAIN: Final = 1 << 4
TEXT_LETTER: Final = 1 << 5
TEXT_SPACE: Final = 1 << 6
TEXT_BREAK: Final = 1 << 7
TEXT_TERMINAL: Final = 1 << 8
TEXT_NUMBER: Final = 1 << 9
TEXT_UPPER: Final = 1 << 10
LINE_BREAKS: Final = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"

NAMES: Final = (
    "characters",
    "letters",
    "uppercase",
    "numbers",
    "spaces",
    "newlines",
    "words",
    "plain_words",
    "plain_characters",
    "alphabetic_words",
    "stop_words",
    "hashes",
    "ellipses",
    "lines",
    "bullet_lines",
    "ellipsis_lines",
    "line_pieces",
    "repeated_pieces",
    "repeated_piece_characters",
    "text_lines",
    "terminal_lines",
    "short_lines",
    "repeated_line_characters",
    "longest_line",
    "paragraphs",
    "repeated_paragraphs",
    "repeated_paragraph_characters",
)
"""The counts, in the order of the kernel's columns; `MEANING` says what each is. n-grams follow them."""
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
C: Final = {name: column for column, name in enumerate(NAMES)}
(
    _CHARACTERS, _LETTERS, _UPPERCASE, _NUMBERS, _SPACES, _NEWLINES, _WORDS, _PLAIN_WORDS, _PLAIN_CHARACTERS,
    _ALPHABETIC_WORDS, _STOP_WORDS, _HASHES, _ELLIPSES, _LINES, _BULLET_LINES, _ELLIPSIS_LINES, _PIECES,
    _REPEATED_PIECES, _REPEATED_PIECE_CHARACTERS, _TEXT_LINES, _TERMINAL_LINES, _SHORT_LINES,
    _REPEATED_LINE_CHARACTERS, _LONGEST_LINE, _PARAGRAPHS, _REPEATED_PARAGRAPHS, _REPEATED_PARAGRAPH_CHARACTERS,
) = range(len(NAMES))  # fmt: skip

_LF: Final = 0x0A
_CR: Final = 0x0D
_HASH_SIGN: Final = 0x23
_HYPHEN: Final = 0x2D
_DOT: Final = 0x2E
_BULLET: Final = 0x2022
_ELLIPSIS: Final = 0x2026
MAX_LISTS: Final = 64


@dataclass(frozen=True)
class Counted:
    """What to count beside what is always counted."""

    symbols: str = ""
    """Characters that do not make a word plain."""
    stop_words: tuple[tuple[str, ...], ...] = ((),)
    """Lists of stop words, at most 64; each document is asked about one of them."""
    terminals: str = ".!?"
    """Characters that end a sentence."""
    short_line: int = 30
    """Code points of a short line, at most."""
    top: tuple[int, ...] = ()
    """For these n: the most frequent n-gram. See `repetition.top_n_gram`."""
    repeated: tuple[int, ...] = ()
    """For these n: repeated n-grams. See `repetition.repeated_n_grams`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that `text_statistics` gives."""
        return (*NAMES, *(f"top_{n}_gram" for n in self.top), *(f"repeated_{n}_grams" for n in self.repeated))


def text_statistics(
    text: pa.LargeStringArray | pa.ChunkedArray, counted: Counted, which: Sequence[int] | None = None
) -> I64:
    """int64[documents, len(counted.names)]: the counts of each document.

    `which`: for each document the number of its list of stop words, or -1 for none; without it, the first list serves
    all. Raises ValueError for text that is not large_string, or has nulls.
    """
    data, offsets = buffers(text)
    out = np.zeros((len(offsets) - 1, len(counted.names)), np.int64)
    lists = np.zeros(len(out), np.int64) if which is None else np.asarray(which, np.int64)
    keys, members, longest = _stop_table(counted.stop_words)
    sizes = np.array(counted.top, np.int64), np.array(counted.repeated, np.int64)
    table = _traits(counted.symbols, counted.terminals)
    _count(data, offsets, table, keys, members, longest, lists, counted.short_line, *sizes, _powers(), out)
    return out


@lru_cache(maxsize=1)
def _powers() -> U64:
    return first_powers()


@lru_cache(maxsize=8)
def _traits(symbols: str, terminals: str) -> U16:
    """uint16[0x110000], read-only: action and traits of each code point."""
    classes = unicode_classes.classes()
    table = actions().astype(np.uint16) | np.uint16(TEXT_PLAIN)
    table[[ord(character) for character in symbols]] &= np.uint16(0xFFFF - TEXT_PLAIN)
    table[classes == unicode_classes.CLASS_LETTER] |= np.uint16(TEXT_LETTER)
    table[classes == unicode_classes.CLASS_NUMBER] |= np.uint16(TEXT_NUMBER)
    table[classes == unicode_classes.CLASS_SPACE] |= np.uint16(TEXT_SPACE)
    # Python strips the four information separators, which the engine's \s does not know.
    table[0x1C:0x20] |= np.uint16(TEXT_SPACE)
    table[[ord(character) for character in LINE_BREAKS]] |= np.uint16(TEXT_BREAK)
    table[[ord(character) for character in terminals]] |= np.uint16(TEXT_TERMINAL)
    lowered = unicode_classes.lower_case() != np.arange(unicode_classes.CODE_POINTS)
    table[lowered & (classes == unicode_classes.CLASS_LETTER)] |= np.uint16(TEXT_UPPER)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=64)
def _stop_table(lists: tuple[tuple[str, ...], ...]) -> tuple[U64, U64, int]:
    """An open-addressing table of the words' hashes (0: empty), mostly empty; a bit for each list that has the word;
    the longest word's code points. Raises ValueError for more than 64 lists."""
    if len(lists) > MAX_LISTS:
        raise ValueError(f"{len(lists)} lists of stop words, at most {MAX_LISTS} can be told apart")
    distinct = sorted({word for words in lists for word in words} - {""})
    size = 1 << (8 * len(distinct)).bit_length()
    keys, members = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for word in distinct:
        bits = sum(1 << number for number, words in enumerate(lists) if word in words)
        _insert(keys, members, np.array([ord(character) for character in word], np.int64), np.uint64(bits))
    keys.setflags(write=False)
    members.setflags(write=False)
    return keys, members, max(map(len, distinct), default=0)


@kernel
def _insert(keys: U64, members: U64, codes: I64, bits: np.uint64) -> None:
    value = SEED
    for i in range(len(codes)):
        value = mix(value, np.uint64(codes[i]))
    slot = np.int64(value & np.uint64(len(keys) - 1))
    while keys[slot] != 0:
        slot = (slot + 1) & (len(keys) - 1)
    keys[slot], members[slot] = value, bits


@helper
def _end_word(
    counts: I64,
    length: int,
    traits: int,
    value: np.uint64,
    keys: U64,
    members: U64,
    longest: int,
    which: int,
    seen: I64,
    document: int,
) -> None:
    """Adds a word of `length` code points to the counts; one of length 0 (there was none yet) adds nothing."""
    plain = (traits & TEXT_PLAIN) != 0
    counts[_PLAIN_WORDS] += plain
    counts[_PLAIN_CHARACTERS] += length if plain else 0
    counts[_ALPHABETIC_WORDS] += (traits & TEXT_LETTER) != 0
    if 0 < length <= longest and which >= 0:
        slot = np.int64(value & np.uint64(len(keys) - 1))
        while keys[slot] != 0:
            if keys[slot] == value and seen[slot] != document:
                seen[slot] = document
                counts[_STOP_WORDS] += np.int64((members[slot] >> np.uint64(which)) & np.uint64(1))
            slot = (slot + 1) & (len(keys) - 1)


@kernel
def _count(
    data: Bytes,
    offsets: I64,
    table: U16,
    stop_keys: U64,
    members: U64,
    longest: int,
    which: I64,
    short_line: int,
    top: I64,
    repeated: I64,
    powers: U64,
    out: I64,
) -> None:
    largest = 0
    for document in range(len(offsets) - 1):
        largest = max(largest, offsets[document + 1] - offsets[document])
    # Room for a word or a line per byte: what is never written takes no memory.
    room, size = largest + 2, mask_for(largest) + 1
    hashes, prefixes, heads = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint64)
    lengths, slots, candidates = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    keys, tally, sketch = np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(4 * size, np.uint8)
    grams, again, marks = np.empty(room, np.uint64), np.empty(room, np.bool_), np.empty(room, np.bool_)
    seen = np.full(len(stop_keys), -1, np.int64)  # the last document that had the stop word of this slot
    for document in range(len(offsets) - 1):
        counts = out[document]
        start, stop = offsets[document], offsets[document + 1]
        # Lines first: their scratch is then free for words. As one loop, the two walks ran at half the speed.
        found = _walk_lines(data, start, stop, table, short_line, counts, hashes, lengths, candidates, slots)
        duplicates(hashes, found, keys, again)
        for i in range(found):
            if again[i]:
                counts[_REPEATED_PIECES] += 1
                counts[_REPEATED_PIECE_CHARACTERS] += abs(lengths[i])
                counts[_REPEATED_LINE_CHARACTERS] += max(lengths[i], 0)
        found = _join_paragraphs(data, start, stop, table, found, hashes, lengths, candidates, slots)
        duplicates(hashes, found, keys, again)
        for i in range(found):
            if again[i]:
                counts[_REPEATED_PARAGRAPHS] += 1
                counts[_REPEATED_PARAGRAPH_CHARACTERS] += lengths[i]
        counts[_PARAGRAPHS] = max(found, 1)
        _walk_words(
            data, start, stop, table, stop_keys, members, longest, which[document], seen, document, counts,
            hashes, lengths, len(repeated) > 0, prefixes, heads, powers[HEAD],
        )  # fmt: skip
        words = counts[_WORDS]
        if len(top) > 0:
            found = words
            for i in range(words):
                candidates[i] = i
        for i in range(len(top)):
            counts[len(NAMES) + i], found = top_n_gram(
                hashes, lengths, words, top[i], candidates, found, grams, marks, sketch, keys, tally
            )
        if len(repeated) > 0:
            maybe_repeated(heads, words, sketch, again)
            # The last words have no whole head, so nothing is known of what starts there.
            for i in range(words - 1, -1, -1):
                if lengths[words] - lengths[i] >= HEAD:
                    break
                again[i] = True
        for i in range(len(repeated)):
            counts[len(NAMES) + len(top) + i] = repeated_n_grams(
                prefixes, lengths, words, repeated[i], again, powers, candidates, grams, marks, sketch, keys
            )


@kernel
def _walk_words(
    data: Bytes,
    position: int,
    stop: int,
    table: U16,
    stop_keys: U64,
    members: U64,
    longest: int,
    which: int,
    seen: I64,
    document: int,
    counts: I64,
    hashes: U64,
    lengths: I64,
    prefixed: bool,
    prefixes: U64,
    heads: U64,
    head_power: np.uint64,
) -> None:
    """Counts characters, words, and lines by any line break.

    Leaves per word its hash and the code points of the words before it; if `prefixed`, also the prefix hash of the
    words before it, and the hash of the `HEAD` code points from it on.
    """
    state, length, word_traits, value = OUTSIDE, 0, 0, SEED
    prefix, in_words, words, headed, next_head = np.uint64(0), 0, 0, 0, -1
    blank, dots, trailing, previous = True, 0, False, 0
    line_start = position
    # In registers, not in memory: worth a quarter of the time.
    characters, letters, uppercase, spaces = 0, 0, 0, 0
    while position < stop:
        code, width = decode(data, position)
        position += width
        traits = int(table[code])
        new = step(state, traits & ACTION, data, position, stop, table)
        state = new & STATE
        characters += 1
        if new & START:
            _end_word(counts, length, word_traits, value, stop_keys, members, longest, which, seen, document)
            hashes[max(words - 1, 0)] = value
            prefixes[words], lengths[words] = prefix, in_words
            next_head = in_words + HEAD if next_head < 0 else next_head
            words += 1
            length, word_traits, value = 0, 0, SEED
        if state != OUTSIDE:
            length += 1
            in_words += 1
            word_traits |= traits
            value = mix(value, np.uint64(code))
            if prefixed:
                prefix = append(prefix, np.uint64(code))
                if in_words == next_head:
                    heads[headed] = stretch(prefixes[headed], prefix, head_power)
                    headed += 1
                    next_head = lengths[headed] + HEAD if headed < words else -1
        if traits & TEXT_LETTER:
            letters += 1
            uppercase += (traits & TEXT_UPPER) != 0
            blank, dots, trailing = False, 0, False
        elif traits & TEXT_BREAK:
            spaces += 1
            if code != _LF or previous != _CR:  # CR LF is one break
                counts[_LINES] += 1
                counts[_ELLIPSIS_LINES] += trailing
            blank, dots, trailing = True, 0, False
            line_start = position
        elif traits & TEXT_SPACE:
            spaces += 1
            dots = 0
        else:
            counts[_NUMBERS] += (traits & TEXT_NUMBER) != 0
            counts[_BULLET_LINES] += blank and code in (_HYPHEN, _BULLET)
            dots = dots + 1 if code == _DOT else 0
            trailing = dots >= 3 or code == _ELLIPSIS
            blank = False
            counts[_HASHES] += code == _HASH_SIGN
            counts[_ELLIPSES] += code == _ELLIPSIS or (dots > 0 and dots % 3 == 0)
        previous = code
    _end_word(counts, length, word_traits, value, stop_keys, members, longest, which, seen, document)
    hashes[max(words - 1, 0)] = value
    prefixes[words], lengths[words] = prefix, in_words
    counts[_CHARACTERS], counts[_LETTERS], counts[_UPPERCASE] = characters, letters, uppercase
    counts[_SPACES], counts[_WORDS] = spaces, words
    if line_start < stop:
        counts[_LINES] += 1
        counts[_ELLIPSIS_LINES] += trailing


@kernel
def _walk_lines(
    data: Bytes,
    start: int,
    stop: int,
    table: U16,
    short_line: int,
    counts: I64,
    hashes: U64,
    lengths: I64,
    starts: I64,
    ends: I64,
) -> int:
    """Counts the pieces between line feeds, and leaves of each its hash, its code points (negative for one of white
    space alone), and where it lies; how many there are."""
    found, position = 0, start
    while position < stop:
        first, characters, not_blank, value = position, 0, False, SEED
        while position < stop and data[position] != _LF:
            byte = int(data[position])
            value = mix(value, np.uint64(byte))
            characters += byte & 0xC0 != 0x80
            not_blank |= 0x20 < byte < 0x80
            position += 1
        if position > first:
            begin, end = first, position
            if not not_blank:
                begin, end = _stripped(data, first, position, table)
            counts[_LONGEST_LINE] = max(counts[_LONGEST_LINE], characters)
            if begin < end:
                counts[_TEXT_LINES] += 1
                counts[_TERMINAL_LINES] += (
                    int(table[decode(data, _last(data, first, position))[0]]) & TEXT_TERMINAL
                ) != 0
                counts[_SHORT_LINES] += characters <= short_line
            hashes[found], lengths[found] = value, characters if begin < end else -characters
            starts[found], ends[found] = first, position
            found += 1
        counts[_NEWLINES] += position < stop
        position += 1
    # What lies before a first and after a last line feed is an empty piece.
    outer = 1 if start == stop else np.int64(data[start] == _LF) + np.int64(data[stop - 1] == _LF)
    counts[_PIECES] = found + outer
    counts[_REPEATED_PIECES] = outer == 2
    return found


@kernel
def _join_paragraphs(
    data: Bytes, start: int, stop: int, table: U16, pieces: int, hashes: U64, lengths: I64, starts: I64, ends: I64
) -> int:
    """Puts paragraphs, hash and code points, in the place of the pieces they are made of; how many there are."""
    begin, end = _stripped(data, start, stop, table)
    found, last_end = 0, -1
    for i in range(pieces):
        first, last = max(starts[i], begin), min(ends[i], end)
        if first >= last:
            continue
        value, characters = hashes[i], abs(lengths[i])
        if first != starts[i] or last != ends[i]:
            value, characters = _hash(data, first, last)
        if found > 0 and first == last_end + 1:
            hashes[found - 1] = mix(hashes[found - 1], value)
            lengths[found - 1] += characters + 1
        else:
            hashes[found], lengths[found] = mix(SEED, value), characters
            found += 1
        last_end = last
    return found


@kernel
def _hash(data: Bytes, first: int, last: int) -> tuple[np.uint64, int]:
    """Hash and code points of a stretch of bytes."""
    value, characters = SEED, 0
    for position in range(first, last):
        value = mix(value, np.uint64(data[position]))
        characters += int(data[position]) & 0xC0 != 0x80
    return value, characters


@helper
def _last(data: Bytes, start: int, stop: int) -> int:
    """Where the last code point before `stop` begins."""
    position = stop - 1
    while position > start and int(data[position]) & 0xC0 == 0x80:
        position -= 1
    return position


@kernel
def _stripped(data: Bytes, start: int, stop: int, table: U16) -> tuple[int, int]:
    """Where the text without the white space around it begins and ends; (stop, stop) if there is nothing else."""
    while start < stop:
        code, width = decode(data, start)
        if not int(table[code]) & TEXT_SPACE:
            break
        start += width
    while stop > start:
        last = _last(data, start, stop)
        if not int(table[decode(data, last)[0]]) & TEXT_SPACE:
            break
        stop = last
    return start, stop
