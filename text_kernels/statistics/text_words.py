"""Counts of characters, words and lines: one walk that leaves a hash of each word behind, for n-grams."""

# Tested in tests/text_kernels/statistics/test_text.py.

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import helper, kernel, part
from eyas.text_kernels.statistics.modular import append, span
from eyas.text_kernels.statistics.repetition import HEAD
from eyas.text_kernels.statistics.text_columns import (
    TEXT_BREAK,
    TEXT_COLUMN_ALPHABETIC_WORDS,
    TEXT_COLUMN_BULLET_LINES,
    TEXT_COLUMN_CHARACTERS,
    TEXT_COLUMN_ELLIPSES,
    TEXT_COLUMN_ELLIPSIS_LINES,
    TEXT_COLUMN_HASHES,
    TEXT_COLUMN_LETTERS,
    TEXT_COLUMN_LINES,
    TEXT_COLUMN_NUMBERS,
    TEXT_COLUMN_PLAIN_CHARACTERS,
    TEXT_COLUMN_PLAIN_WORDS,
    TEXT_COLUMN_SPACES,
    TEXT_COLUMN_STOP_WORDS,
    TEXT_COLUMN_UPPERCASE,
    TEXT_COLUMN_WORDS,
    TEXT_LETTER,
    TEXT_NUMBER,
    TEXT_PLAIN,
    TEXT_SPACE,
    TEXT_UPPER,
)
from eyas.text_kernels.types import I64, U16, U64, Bytes
from eyas.text_kernels.utf8 import decode
from eyas.text_kernels.words.rules import ACTION, OUTSIDE, START, STATE, step

_LF: Final = 0x0A
_CR: Final = 0x0D
_HASH_SIGN: Final = 0x23
_HYPHEN: Final = 0x2D
_DOT: Final = 0x2E
_BULLET: Final = 0x2022
_ELLIPSIS: Final = 0x2026


@kernel
def walk_words(
    data: Bytes, position: int, stop: int, table: U16, stop_keys: U64, members: U64, longest: int, which: int, seen: I64,
    document: int, counts: I64, hashes: U64, lengths: I64, prefixed: bool, prefixes: U64, heads: U64, head_power: np.uint64,
) -> None:  # fmt: skip
    """Counts characters, words, and lines by any line break.

    Leaves per word its hash and the code points of the words before it; if `prefixed`, also the prefix hash of the
    words before it, and the hash of the `HEAD` code points from it on.
    """
    # The word at hand: its state in the rule, code points, the traits of them all, its hash.
    state, length, word_traits, value = OUTSIDE, 0, 0, SEED
    # All words so far: their hash and code points, how many; how many heads are done, and where the next one ends.
    prefix, in_words, words, headed, next_head = np.uint64(0), 0, 0, 0, -1
    # The line at hand: nothing but white space yet, full stops in a row, whether it would end in an ellipsis.
    blank, dots, trailing, previous, line_start = True, 0, False, 0, position
    # In registers, not in memory: worth a quarter of the time.
    characters, letters, uppercase, spaces = 0, 0, 0, 0
    while position < stop:
        code, width = decode(data, position)
        position += width
        traits = int(table[code])
        characters += 1
        # Phase 1: the word rule. If a word starts here, the one before it is over.
        new = step(state, traits & ACTION, data, position, stop, table)
        state = new & STATE
        if new & START:
            _end_word(counts, length, word_traits, value, stop_keys, members, longest, which, seen, document)
            hashes[max(words - 1, 0)] = value
            prefixes[words], lengths[words] = prefix, in_words
            next_head = in_words + HEAD if next_head < 0 else next_head
            words, length, word_traits, value = words + 1, 0, 0, SEED
        # Phase 2: within a word, its hash and the prefix hash. Each head is `HEAD` code points of words, spaces left out.
        if state != OUTSIDE:
            length, in_words, word_traits = length + 1, in_words + 1, word_traits | traits
            value = mix(value, np.uint64(code))
            if prefixed:
                prefix = append(prefix, np.uint64(code))
                if in_words == next_head:
                    heads[headed] = span(prefixes[headed], prefix, head_power)
                    headed += 1
                    next_head = lengths[headed] + HEAD if headed < words else -1
        # Phase 3: the character itself and its line; the commonest kind first.
        if traits & TEXT_LETTER:
            letters, uppercase = letters + 1, uppercase + ((traits & TEXT_UPPER) != 0)
            blank, dots, trailing = False, 0, False
        elif traits & TEXT_BREAK:
            spaces += 1
            if code != _LF or previous != _CR:  # CR LF is one break
                _end_line(counts, trailing)
            blank, dots, trailing, line_start = True, 0, False, position
        elif traits & TEXT_SPACE:
            spaces, dots = spaces + 1, 0
        else:
            dots = dots + 1 if code == _DOT else 0
            trailing = dots >= 3 or code == _ELLIPSIS
            _count_symbol(counts, code, traits, blank, dots)
            blank = False
        previous = code
    # The text ends its last word and its last line.
    _end_word(counts, length, word_traits, value, stop_keys, members, longest, which, seen, document)
    hashes[max(words - 1, 0)] = value
    prefixes[words], lengths[words] = prefix, in_words
    if line_start < stop:
        _end_line(counts, trailing)
    counts[TEXT_COLUMN_CHARACTERS], counts[TEXT_COLUMN_LETTERS] = characters, letters
    counts[TEXT_COLUMN_UPPERCASE], counts[TEXT_COLUMN_SPACES], counts[TEXT_COLUMN_WORDS] = uppercase, spaces, words


@part
def _count_symbol(counts: I64, code: int, traits: int, blank: bool, dots: int) -> None:
    """Counts a character that is neither letter nor white space; `dots`: full stops in a row, up to this one."""
    counts[TEXT_COLUMN_NUMBERS] += (traits & TEXT_NUMBER) != 0
    counts[TEXT_COLUMN_BULLET_LINES] += blank and code in (_HYPHEN, _BULLET)
    counts[TEXT_COLUMN_HASHES] += code == _HASH_SIGN
    counts[TEXT_COLUMN_ELLIPSES] += code == _ELLIPSIS or (dots > 0 and dots % 3 == 0)


@part
def _end_line(counts: I64, trailing: bool) -> None:
    counts[TEXT_COLUMN_LINES] += 1
    counts[TEXT_COLUMN_ELLIPSIS_LINES] += trailing


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
    counts[TEXT_COLUMN_PLAIN_WORDS] += plain
    counts[TEXT_COLUMN_PLAIN_CHARACTERS] += length if plain else 0
    counts[TEXT_COLUMN_ALPHABETIC_WORDS] += (traits & TEXT_LETTER) != 0
    if 0 < length <= longest and which >= 0:
        slot = np.int64(value & np.uint64(len(keys) - 1))
        while keys[slot] != 0:
            if keys[slot] == value and seen[slot] != document:
                seen[slot] = document
                counts[TEXT_COLUMN_STOP_WORDS] += np.int64((members[slot] >> np.uint64(which)) & np.uint64(1))
            slot = (slot + 1) & (len(keys) - 1)
