"""Cuts byte spans out of texts: what span deduplication removes is kept as spans beside the text, and cut when it is read.

Two walks over the spans: the first measures, the second copies the text between two spans in one piece.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.utf8 import buffers


def splice(
    text: pa.LargeStringArray | pa.ChunkedArray, cuts: pa.ListArray | pa.ChunkedArray, filler: str = ""
) -> pa.LargeStringArray:
    """The texts without the spans `cuts` (list<int64>: start, end, start, end …; null for none), `filler` in their place.

    Spans are bytes from the beginning of a text, ascending, apart, at borders of code points. Raises ValueError otherwise.
    """
    data, offsets = buffers(text)
    spans = cuts.combine_chunks() if isinstance(cuts, pa.ChunkedArray) else cuts
    counts = pc.fill_null(pc.list_value_length(spans), 0).to_numpy(zero_copy_only=False)
    places = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    # Flattening leaves out what lies behind nulls and before a slice.
    flat = np.ascontiguousarray(spans.flatten().to_numpy(zero_copy_only=False), dtype=np.int64)
    if len(places) != len(offsets) or (counts % 2).any():
        raise ValueError(f"{len(offsets) - 1} texts, but {len(places) - 1} lists of spans, or a span without an end")
    mark = np.frombuffer(filler.encode(), np.uint8).copy()
    new = np.zeros(len(offsets), np.int64)
    wrong = _measure(data, offsets, flat, places, len(mark), new)
    if wrong >= 0:
        raise ValueError(f"text {wrong}: spans overlap, are not ascending, leave the text, or cut a character in two")
    out = np.empty(int(new[-1]), np.uint8)
    _copy(data, offsets, flat, places, mark, out)
    return pa.LargeStringArray.from_buffers(len(new) - 1, pa.py_buffer(new), pa.py_buffer(out))


@kernel
def _measure(data: Bytes, offsets: I64, spans: I64, places: I64, filler: int, new: I64) -> int:
    """Fills `new`, the offsets of the cut texts; the first text with wrong spans, or -1."""
    for document in range(len(offsets) - 1):
        begin, stop = offsets[document], offsets[document + 1]
        size = stop - begin
        # Spans must ascend, lie apart and inside the text.
        last = 0
        left = size
        for i in range(places[document], places[document + 1], 2):
            start, end = spans[i], spans[i + 1]
            if start < last or end < start or end > size:
                return document
            # A byte 10xxxxxx continues a code point: no span may begin or end there.
            for at in (begin + start, begin + end):
                if at < stop and data[at] & 0xC0 == 0x80:
                    return document
            left += filler - (end - start)
            last = end
        new[document + 1] = new[document] + left
    return -1


@kernel
def _copy(data: Bytes, offsets: I64, spans: I64, places: I64, filler: Bytes, out: Bytes) -> None:
    """Writes the cut texts to `out`, one after the other."""
    to = 0
    for document in range(len(offsets) - 1):
        at = offsets[document]
        for i in range(places[document], places[document + 1], 2):
            start, end = offsets[document] + spans[i], offsets[document] + spans[i + 1]
            out[to : to + start - at] = data[at:start]
            to += start - at
            out[to : to + len(filler)] = filler
            to += len(filler)
            at = end
        stop = offsets[document + 1]
        out[to : to + stop - at] = data[at:stop]
        to += stop - at
