"""All counts that heuristic filters need of a document: characters, words, lines, paragraphs and what is repeated.

Words are those of `eyas.text_kernels.words.rules`; white space and lines are Python's. Two walks over the bytes
(`text_lines`, `text_words`) leave the hashes of words, lines and paragraphs behind, from which `repetition` counts what is
repeated. The trade: every count is made whether or not a rule needs it, which is still cheaper than another walk; only
n-grams, which cost as much as all the rest, are counted by request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import kernel, part
from eyas.text_kernels.statistics.modular import first_powers
from eyas.text_kernels.statistics.repetition import (
    HEAD,
    duplicates,
    mask_for,
    maybe_repeated,
    repeated_n_grams,
    top_n_gram,
)
from eyas.text_kernels.statistics.text_columns import (
    LINE_BREAKS,
    MEANING,
    NAMES,
    TEXT_BREAK,
    TEXT_COLUMN_PARAGRAPHS,
    TEXT_COLUMN_REPEATED_LINE_CHARACTERS,
    TEXT_COLUMN_REPEATED_PARAGRAPH_CHARACTERS,
    TEXT_COLUMN_REPEATED_PARAGRAPHS,
    TEXT_COLUMN_REPEATED_PIECE_CHARACTERS,
    TEXT_COLUMN_REPEATED_PIECES,
    TEXT_COLUMN_WORDS,
    TEXT_LETTER,
    TEXT_NUMBER,
    TEXT_PLAIN,
    TEXT_SPACE,
    TEXT_TERMINAL,
    TEXT_UPPER,
)
from eyas.text_kernels.statistics.text_lines import join_paragraphs, walk_lines
from eyas.text_kernels.statistics.text_words import walk_words
from eyas.text_kernels.types import I64, U16, U64, Bools, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.rules import actions

__all__ = ["MEANING", "NAMES", "Counted", "text_statistics"]

MAX_LISTS: Final = 64


@dataclass(frozen=True)
class Counted:
    """What to count beside what is always counted."""

    symbols: str = ""
    """Characters that do not make a word plain."""
    stop_words: tuple[tuple[str, ...], ...] = ((),)
    """Lists of stop words, at most 64; one of them is counted in each document."""
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
    # Python strips the four information separators, which are no \s to the engine.
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
        raise ValueError(f"{len(lists)} lists of stop words, at most {MAX_LISTS} are possible")
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


@kernel
def _count(
    data: Bytes, offsets: I64, table: U16, stop_keys: U64, members: U64, longest: int, which: I64, short_line: int, top: I64,
    repeated: I64, powers: U64, out: I64,
) -> None:  # fmt: skip
    """Fills `out`, a row per document: lines, then paragraphs made of them, then words, then n-grams made of these."""
    largest = 0
    for document in range(len(offsets) - 1):
        largest = max(largest, offsets[document + 1] - offsets[document])
    # Scratch for all documents. Room for a word or a line per byte: what is never written takes no memory.
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
        pieces = walk_lines(data, start, stop, table, short_line, counts, hashes, lengths, candidates, slots)
        duplicates(hashes, pieces, keys, again)
        _add_repeated_lines(counts, pieces, lengths, again)
        paragraphs = join_paragraphs(data, start, stop, table, pieces, hashes, lengths, candidates, slots)
        duplicates(hashes, paragraphs, keys, again)
        _add_repeated_paragraphs(counts, paragraphs, lengths, again)
        walk_words(
            data, start, stop, table, stop_keys, members, longest, which[document], seen, document, counts,
            hashes, lengths, len(repeated) > 0, prefixes, heads, powers[HEAD],
        )  # fmt: skip
        words = counts[TEXT_COLUMN_WORDS]
        # Most frequent n-grams, n ascending: a longer one can be no more frequent, so candidates only become fewer.
        left = words
        for i in range(words if len(top) > 0 else 0):
            candidates[i] = i
        for i in range(len(top)):
            counts[len(NAMES) + i], left = top_n_gram(
                hashes, lengths, words, top[i], candidates, left, grams, marks, sketch, keys, tally
            )
        # Repeated n-grams: only where a repeated head begins can one begin.
        if len(repeated) > 0:
            _mark_heads(heads, lengths, words, sketch, again)
        for i in range(len(repeated)):
            counts[len(NAMES) + len(top) + i] = repeated_n_grams(
                prefixes, lengths, words, repeated[i], again, powers, candidates, grams, marks, sketch, keys
            )


@part
def _add_repeated_lines(counts: I64, pieces: int, lengths: I64, again: Bools) -> None:
    """Counts the pieces that occurred before; the length of one that is white space alone is negative."""
    for i in range(pieces):
        if again[i]:
            counts[TEXT_COLUMN_REPEATED_PIECES] += 1
            counts[TEXT_COLUMN_REPEATED_PIECE_CHARACTERS] += abs(lengths[i])
            counts[TEXT_COLUMN_REPEATED_LINE_CHARACTERS] += max(lengths[i], 0)


@part
def _add_repeated_paragraphs(counts: I64, paragraphs: int, lengths: I64, again: Bools) -> None:
    """Counts paragraphs, and those that occurred before. A text without any has one, which is empty."""
    for i in range(paragraphs):
        if again[i]:
            counts[TEXT_COLUMN_REPEATED_PARAGRAPHS] += 1
            counts[TEXT_COLUMN_REPEATED_PARAGRAPH_CHARACTERS] += lengths[i]
    counts[TEXT_COLUMN_PARAGRAPHS] = max(paragraphs, 1)


@part
def _mark_heads(heads: U64, lengths: I64, words: int, sketch: Bytes, again: Bools) -> None:
    """Fills `again`: false for words whose head surely occurs only once."""
    maybe_repeated(heads, words, sketch, again)
    # The last words have no whole head, so nothing is known of what starts there.
    for i in range(words - 1, -1, -1):
        if lengths[words] - lengths[i] >= HEAD:
            break
        again[i] = True
