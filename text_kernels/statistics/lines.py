"""Counts of each line, for rules about lines: words, letters, phrases, sentences, and how it ends.

A line is what `str.splitlines` gives, or a sentence, without the white space around it. Marks of citations (`[12]`,
`[edit]`, `[citation needed]`) can be looked through, as if they were not there. The trade: ten numbers and three sets
of phrases a line, 90 bytes for 40 bytes of usual text, so documents are walked a batch at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics.text_columns import LINE_BREAKS
from eyas.text_kernels.types import I32, I64, U16, U64, Bools, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode
from eyas.text_kernels.words.phrases import automaton
from eyas.text_kernels.words.sentences import BEGINS, INSIDE, kinds, sentence_step, sentences

WORDS: Final = 0
LONGEST_WORD: Final = 1
CHARACTERS: Final = 2
LETTERS: Final = 3
UPPERCASE: Final = 4
NUMBERS: Final = 5
SENTENCES: Final = 6
LAST: Final = 7
DOTS: Final = 8
BRACES: Final = 9
LINE_COLUMNS: Final = 10

_LINE_LETTER: Final = 1
_LINE_NUMBER: Final = 2
_LINE_SPACE: Final = 4
_LINE_BREAK: Final = 8
_LINE_UPPER: Final = 16
_LINE_DIGIT: Final = 32

_LF: Final = 0x0A
_CR: Final = 0x0D
_DOT: Final = 0x2E
_OPEN: Final = 0x5B
_CLOSE: Final = 0x5D
_BRACE: Final = 0x7B
_EDIT: Final = np.frombuffer(b"edit]", np.uint8)
_NEEDED: Final = np.frombuffer(b"citation needed]", np.uint8)
_MAY_BREAK: Final = np.isin(np.arange(256), [character.encode()[0] for character in LINE_BREAKS])
"""Bytes with which a line break may begin: all others are stepped over, whatever they belong to."""


@dataclass(frozen=True)
class LineStatistics:
    """One entry per line; the lines of document i are `doc_offsets[i]` to `doc_offsets[i + 1]`."""

    whole: I64
    """Where the line begins in `buffers(text)`'s data; it reaches, with its line break, to the next or to the end."""
    start: I64
    """Where it begins, white space aside."""
    end: I64
    """Where it ends, white space aside."""
    doc_offsets: I64
    counts: I32
    """int32[10, lines]. WORDS and LONGEST_WORD (its code points) are between white space, citations included. Without
    them: CHARACTERS, LETTERS, UPPERCASE, NUMBERS, SENTENCES; LAST, the last code point, or -1; DOTS, how many full
    stops it ends in; BRACES, how many `{` it has."""
    anywhere: U64
    """A bit for each phrase that the line has."""
    at_start: U64
    at_end: U64

    def __len__(self) -> int:
        return len(self.start)


def line_statistics(
    text: pa.LargeStringArray | pa.ChunkedArray,
    phrases: tuple[str, ...],
    terminals: str,
    *,
    by_sentence: bool = False,
    citations: bool = True,
) -> LineStatistics:
    """The lines of each document, or its sentences. `citations`: whether their marks count as text.

    Raises ValueError for text that is not large_string, or has nulls.
    """
    data, offsets = buffers(text)
    if by_sentence:
        start, doc_offsets = sentences(text, terminals)
        end = np.append(start[1:], offsets[-1:])[: len(start)]
    else:
        doc_offsets = np.zeros(len(offsets), np.int64)
        total = _find_lines(data, offsets, _traits(), np.empty(0, np.int64), np.empty(0, np.int64), doc_offsets)
        start, end = np.empty(total, np.int64), np.empty(total, np.int64)
        _find_lines(data, offsets, _traits(), start, end, doc_offsets)
    whole = start.copy()
    counts = np.empty((LINE_COLUMNS, len(start)), np.int32)
    hits = np.zeros((3, len(start)), np.uint64)
    search = automaton(phrases)
    classes = len(search.next) // len(search.endings)
    tables = search.kinds, search.next, search.endings, search.lengths
    _describe(data, start, end, _traits(), kinds(terminals), *tables, classes, citations, counts, hits)
    return LineStatistics(whole, start, end, doc_offsets, counts, *hits)


def keep_lines(text: pa.LargeStringArray | pa.ChunkedArray, lines: LineStatistics, keep: Bools) -> pa.LargeStringArray:
    """The documents without the lines that are not kept; what is kept stays as it is, line breaks included."""
    data, offsets = buffers(text)
    out, ends = np.empty(int(offsets[-1] - offsets[0]), np.uint8), np.zeros(len(offsets), np.int64)
    _keep(data, offsets, lines.whole, lines.doc_offsets, keep, out, ends)
    return _text(out, ends)


def join_lines(
    text: pa.LargeStringArray | pa.ChunkedArray,
    lines: LineStatistics,
    keep: Bools,
    *,
    separator: str = "\n",
    citations: bool = True,
) -> pa.LargeStringArray:
    """The kept lines of each document without the white space around them, joined; the result is stripped again, for
    a citation may have stood behind a space. `citations`: whether to leave their marks in."""
    data, offsets = buffers(text)
    out = np.empty(int(offsets[-1] - offsets[0]) + len(lines), np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    join = ord(separator)
    _join(data, lines.start, lines.end, lines.doc_offsets, keep, join, citations, _traits(), out, ends)
    return _text(out, ends)


def _text(data: Bytes, ends: I64) -> pa.LargeStringArray:
    content = pa.py_buffer(data[: ends[-1]].tobytes())
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends.tobytes()), content)


@lru_cache(maxsize=1)
def _traits() -> Bytes:
    """uint8[0x110000], read-only: traits of each code point."""
    classes = unicode_classes.classes()
    table = np.zeros(unicode_classes.CODE_POINTS, np.uint8)
    table[classes == unicode_classes.CLASS_LETTER] |= np.uint8(_LINE_LETTER)
    table[classes == unicode_classes.CLASS_NUMBER] |= np.uint8(_LINE_NUMBER)
    table[classes == unicode_classes.CLASS_SPACE] |= np.uint8(_LINE_SPACE)
    table[0x1C:0x20] |= np.uint8(_LINE_SPACE)  # white space to Python, not to the engine
    table[[ord(character) for character in LINE_BREAKS]] |= np.uint8(_LINE_BREAK)
    lowered = unicode_classes.lower_case() != np.arange(unicode_classes.CODE_POINTS)
    table[lowered & (classes == unicode_classes.CLASS_LETTER)] |= np.uint8(_LINE_UPPER)
    table[(unicode_classes.flags() & unicode_classes.FLAG_DIGIT) > 0] |= np.uint8(_LINE_DIGIT)
    table.setflags(write=False)
    return table


@kernel
def _find_lines(data: Bytes, offsets: I64, table: Bytes, start: I64, end: I64, doc_offsets: I64) -> int:
    """Counts lines, and fills `start` and `end` if they have room."""
    count = 0
    fill = len(start) > 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        begin = position
        while position < stop:
            if not _MAY_BREAK[data[position]]:
                position += 1
                continue
            code, width = decode(data, position)
            if int(table[code]) & _LINE_BREAK:
                if fill:
                    start[count], end[count] = begin, position
                count += 1
                if code == _CR and position + 1 < stop and data[position + 1] == _LF:
                    width = 2
                begin = position + width
            position += width
        if begin < stop:
            if fill:
                start[count], end[count] = begin, stop
            count += 1
        doc_offsets[document + 1] = count
    return count


@helper
def _follows(data: Bytes, position: int, stop: int, wanted: Bytes) -> bool:
    """Whether the bytes from `position` on are `wanted`."""
    same = stop - position >= len(wanted)
    for i in range(len(wanted)):
        same = same and data[position + i] == wanted[i]
    return same


@kernel
def citation_end(data: Bytes, position: int, stop: int, table: Bytes) -> int:
    """Where the mark of a citation that begins at the `[` at `position` ends; `position` if none does."""
    after = position + 1
    if _follows(data, after, stop, _EDIT):
        return after + len(_EDIT)
    if _follows(data, after, stop, _NEEDED):
        return after + len(_NEEDED)
    while after < stop:
        code, width = decode(data, after)
        after += width
        if code == _CLOSE:
            return after
        if not int(table[code]) & _LINE_DIGIT:
            break
    return position


@kernel
def _describe(
    data: Bytes,
    start: I64,
    end: I64,
    table: Bytes,
    ends: Bytes,
    kinds: Bytes,
    following: U16,
    phrases: U64,
    phrase_lengths: I64,
    classes: int,
    citations: bool,
    counts: I32,
    hits: U64,
) -> None:
    """Moves `start` and `end` past white space, and fills the rest."""
    for line in range(len(start)):
        start[line], end[line] = _inside(data, start[line], end[line], table)
        position, stop, skip = start[line], end[line], start[line]
        words, word, longest, state, place = 0, 0, 0, INSIDE, 0
        characters, letters, uppercase, numbers, sentence_count, dots, last, braces = 0, 0, 0, 0, 1, 0, -1, 0
        anywhere, at_start, at_end = np.uint64(0), np.uint64(0), np.uint64(0)
        while position < stop:
            code, width = decode(data, position)
            traits = int(table[code])
            # Phase 1: words, which are what stands between white space, citations included.
            if traits & _LINE_SPACE:
                word = 0
            else:
                words, word = words + (word == 0), word + 1
                longest = max(longest, word)
            # Phase 2: the mark of a citation is looked through, up to `skip`.
            if code == _OPEN and not citations and position >= skip:
                skip = citation_end(data, position, stop, table)
            if position >= skip:
                # Phase 3: characters, sentences and phrases of what is left.
                characters, last = characters + 1, code
                letters += (traits & _LINE_LETTER) != 0
                uppercase += (traits & _LINE_UPPER) != 0
                numbers += (traits & _LINE_NUMBER) != 0
                braces += code == _BRACE
                dots = dots + 1 if code == _DOT else 0
                new = sentence_step(state, int(ends[code]))
                sentence_count += (new & BEGINS) != 0
                state = new & 7
                place = int(following[place * classes + kinds[code]])
                at_end = phrases[place]
                if at_end:
                    anywhere |= at_end
                    for i in range(len(phrase_lengths)):
                        if phrase_lengths[i] == characters:
                            at_start |= at_end & (np.uint64(1) << np.uint64(i))
            position += width
        counts[WORDS, line], counts[LONGEST_WORD, line] = words, longest
        counts[CHARACTERS, line], counts[LETTERS, line] = characters, letters
        counts[UPPERCASE, line], counts[NUMBERS, line] = uppercase, numbers
        counts[SENTENCES, line], counts[LAST, line] = sentence_count, last
        counts[DOTS, line], counts[BRACES, line] = dots, braces
        hits[0, line], hits[1, line], hits[2, line] = anywhere, at_start, at_end


@helper
def _inside(data: Bytes, start: int, stop: int, table: Bytes) -> tuple[int, int]:
    """Where the line without the white space around it begins and ends."""
    while start < stop:
        code, width = decode(data, start)
        if not int(table[code]) & _LINE_SPACE:
            break
        start += width
    while stop > start:
        last = stop - 1
        while last > start and int(data[last]) & 0xC0 == 0x80:
            last -= 1
        if not int(table[decode(data, last)[0]]) & _LINE_SPACE:
            break
        stop = last
    return start, stop


@kernel
def _keep(data: Bytes, offsets: I64, whole: I64, doc_offsets: I64, keep: Bools, out: Bytes, ends: I64) -> None:
    used = 0
    for document in range(len(offsets) - 1):
        for line in range(doc_offsets[document], doc_offsets[document + 1]):
            if keep[line]:
                stop = whole[line + 1] if line + 1 < doc_offsets[document + 1] else offsets[document + 1]
                for position in range(whole[line], stop):
                    out[used] = data[position]
                    used += 1
        ends[document + 1] = used


@kernel
def _join(
    data: Bytes,
    start: I64,
    end: I64,
    doc_offsets: I64,
    keep: Bools,
    separator: int,
    citations: bool,
    table: Bytes,
    out: Bytes,
    ends: I64,
) -> None:
    used = 0
    for document in range(len(doc_offsets) - 1):
        first = used
        for line in range(doc_offsets[document], doc_offsets[document + 1]):
            if not keep[line]:
                continue
            if used > first:
                out[used] = separator
                used += 1
            position = start[line]
            while position < end[line]:
                after = position
                if data[position] == _OPEN and not citations:
                    after = citation_end(data, position, end[line], table)
                if after > position:
                    position = after
                    continue
                out[used] = data[position]
                used += 1
                position += 1
        begin, stop = _inside(out, first, used, table)
        for position in range(begin, stop):
            out[first + position - begin] = out[position]
        used = first + stop - begin
        ends[document + 1] = used
