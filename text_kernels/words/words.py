"""Words of documents, as positions or as hashes, straight from Arrow's bytes. The rule is in `eyas.text_kernels.words.rules`.

Arrays are of exact size: a first walk counts, a second fills. The trade: the count costs a third of the time, and
spares an upper bound of 8 bytes for every byte of text. Both walks together hash 155 MB/s of source code on one core.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from eyas.text_kernels.fingerprints.shingles import jaccard, shingles
from eyas.text_kernels.hashing import SEED, finish, mix
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I32, I64, U64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode
from eyas.text_kernels.words.rules import ACTION, ANY_ACTION, CONTENT, OUTSIDE, START, START_BIT, STATE, actions, step

__all__ = ["jaccard", "shingles", "word_hashes", "words"]

SKIP = -1
"""In a normalising table: this code point does not count in a word's hash."""


def words(text: pa.LargeStringArray | pa.ChunkedArray) -> tuple[I64, I64, I64]:
    """`(start, end, doc_offsets)`: word w is `data[start[w]:end[w]]`, with `data` as `buffers(text)` gives it.

    The words of document i are `doc_offsets[i]` to `doc_offsets[i + 1]`, in the order of the text.
    Raises ValueError for text that is not large_string, or has nulls.
    """
    data, offsets = buffers(text)
    doc_offsets = np.zeros(len(offsets), np.int64)
    total = _count_words(data, offsets, actions(), ANY_ACTION, doc_offsets)
    start, end = np.empty(total + 1, np.int64), np.empty(total + 1, np.int64)
    _fill_words(data, offsets, actions(), start, end)
    return start[1:], end[1:], doc_offsets


def word_hashes(
    text: pa.LargeStringArray | pa.ChunkedArray,
    lower: bool = True,
    fold_digits: bool = False,
    skip_punctuation: bool = False,
) -> tuple[U64, I64]:
    """`(hashes, doc_offsets)`: one hash (`eyas.text_kernels.hashing`) of each word's normalised code points.

    Format characters (zero-width joiners, soft hyphens) never count: they are invisible. `lower` maps each code point
    to its one-to-one lower case; `fold_digits` maps every decimal digit of any script to `0`; `skip_punctuation`
    leaves out words without letter, number or ideograph. Raises ValueError as `words` does.
    """
    data, offsets = buffers(text)
    doc_offsets = np.zeros(len(offsets), np.int64)
    needed = CONTENT if skip_punctuation else ANY_ACTION
    total = _count_words(data, offsets, actions(), needed, doc_offsets)
    hashes = np.empty(total + 1, np.uint64)
    _fill_hashes(data, offsets, actions(), normalising(lower, fold_digits), needed, hashes)
    return hashes[:total], doc_offsets


@lru_cache(maxsize=4)
def normalising(lower: bool, fold_digits: bool) -> I32:
    """int32[0x110000], read-only: what each code point counts as in a hash, or SKIP."""
    identity = np.arange(unicode_classes.CODE_POINTS, dtype=np.int32)
    table = unicode_classes.lower_case().copy() if lower else identity
    flags = unicode_classes.flags()
    table[(flags & unicode_classes.FLAG_FORMAT) > 0] = SKIP
    if fold_digits:
        table[(flags & unicode_classes.FLAG_DIGIT) > 0] = ord("0")
    table.setflags(write=False)
    return table


@kernel
def _count_words(data: Bytes, offsets: I64, table: Bytes, needed: int, doc_offsets: I64) -> int:
    """Fills `doc_offsets`; the number of words that have one of the actions in the bit set `needed`.

    Here and below no branch depends on the text: a word ends every five bytes, and a wrong guess costs as much as ten.
    """
    count = 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        state = OUTSIDE
        counts = 0  # 1 if the latest word has what is needed
        while position < stop:
            code, width = decode(data, position)
            action = int(table[code]) & ACTION
            position += width
            new = step(state, action, data, position, stop, table)
            count += counts & (new >> START_BIT)
            counts = (counts & ~(new >> START_BIT)) | ((needed >> action) & (new & STATE != OUTSIDE))
            state = new & STATE
        count += counts
        doc_offsets[document + 1] = count
    return count


@kernel
def _fill_words(data: Bytes, offsets: I64, table: Bytes, start: I64, end: I64) -> None:
    """Fills entries 1 and up; entry 0 takes what comes before the first word."""
    count = 0
    last = 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        state = OUTSIDE
        while position < stop:
            code, width = decode(data, position)
            after = position + width
            new = step(state, int(table[code]) & ACTION, data, after, stop, table)
            count += new >> START_BIT
            state = new & STATE
            # Written at every code point: the last one of a word is right, and no branch decides when.
            start[count] = position if new & START else start[count]
            last = after if state != OUTSIDE else last
            end[count] = last
            position = after


@kernel
def _fill_hashes(data: Bytes, offsets: I64, table: Bytes, normal: I32, needed: int, hashes: U64) -> None:
    """Fills all entries but the last, which takes what follows the last word. `needed` as in `_count_words`."""
    count = 0
    value = SEED
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        state = OUTSIDE
        counts = 0
        while position < stop:
            code, width = decode(data, position)
            action = int(table[code]) & ACTION
            position += width
            new = step(state, action, data, position, stop, table)
            state = new & STATE
            count += counts & (new >> START_BIT)
            counts = (counts & ~(new >> START_BIT)) | ((needed >> action) & (state != OUTSIDE))
            value = SEED if new & START else value
            normalised = normal[code]
            mixed = mix(value, np.uint64(normalised))
            value = mixed if (state != OUTSIDE) & (normalised >= 0) else value
            hashes[count] = value
        count += counts
    for i in range(count):
        hashes[i] = finish(hashes[i])
