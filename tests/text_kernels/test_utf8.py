"""Arrow's text as arrays, and the decoder."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.utf8 import buffers, decode


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def test_nothing_is_copied_and_slices_count_from_their_parent() -> None:
    array = column("zero", "one word", "two")
    data, offsets = buffers(array[1:])
    assert data.ctypes.data == array.buffers()[2].address
    assert bytes(data[offsets[0] : offsets[1]]) == b"one word"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pa.array(["a"], pa.string()), "must be large_string, found string"),
        (pa.chunked_array([pa.array(["a"])]), "must be large_string"),
        (pa.array(["a", None], pa.large_string()), "1 nulls"),
        (["a"], "found list"),
    ],
)
def test_other_columns_than_text_are_refused(text: pa.Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        buffers(text)


@kernel
def _decode(data: Bytes, codes: I64) -> int:
    position = count = 0
    while position < len(data):
        codes[count], width = decode(data, position)
        position += width
        count += 1
    return count


@settings(deadline=None)
@given(st.text())
def test_decoding_gives_the_code_points(text: str) -> None:
    codes = np.empty(len(text) + 1, np.int64)
    count = _decode(np.frombuffer(text.encode(), np.uint8), codes)
    assert codes[:count].tolist() == [ord(character) for character in text]
