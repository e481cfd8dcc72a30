"""NFC as Qwen's tokenizers apply it, skipping texts that are in NFC already.

A text is in NFC if each of its code points is NFC by itself and composes with nothing around it. That holds for 99 % of
texts, and one walk over bytes finds them. The others go through `tokenizers`' own normaliser, so the result is the same.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import normalizers

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.unicode.classes import CODE_POINTS
from eyas.text_kernels.utf8 import buffers, decode


def normalise(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Each text in NFC; `text` itself if all of them are."""
    data, offsets = buffers(text)
    doubtful = np.zeros(len(text), np.bool_)
    _find_doubtful(data, offsets, inert(), doubtful)
    rows = np.flatnonzero(doubtful)
    if not len(rows):
        return text
    composer = normalizers.NFC()
    composed = [composer.normalize_str(doubtful_text) for doubtful_text in text.take(pa.array(rows)).to_pylist()]
    return pa.compute.replace_with_mask(text, pa.array(doubtful), pa.array(composed, pa.large_string()))


@lru_cache(maxsize=1)
def inert() -> npt.NDArray[np.bool_]:
    """bool[0x110000]: code points that NFC leaves alone whatever stands around them.

    The table is made from Python's. A code point that Python does not know is not inert, because a later Unicode may
    compose it.
    """
    table = np.zeros(CODE_POINTS, np.bool_)
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A7, 0x11C3))  # vowels and finals of Hangul
    for code in range(CODE_POINTS):
        character = chr(code)
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(int(parts[1], 16))
        known = unicodedata.category(character) != "Cn"
        table[code] = known and not unicodedata.combining(character) and unicodedata.is_normalized("NFC", character)
    table[list(seconds)] = False
    table.setflags(write=False)
    return table


@kernel
def _find_doubtful(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.bool_],
    doubtful: npt.NDArray[np.bool_],
) -> None:
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        while position < stop:
            code, width = decode(data, position)
            if not table[code]:
                doubtful[document] = True
                break
            position += width
