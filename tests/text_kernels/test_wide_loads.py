"""Loads and comparisons of many bytes at once against one byte after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels import wide_loads
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import Bytes


@kernel
def _loads(data: Bytes, position: int, length: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    first, second = wide_loads.load_16(data, position, length)
    return wide_loads.load(data, position, min(length, 8)), first, second


@kernel
def _masks(data: Bytes) -> tuple[np.uint64, np.uint64, int, int, int]:
    digits, letters = wide_loads.bytes_in(data, 0, 0x30, 10), wide_loads.letters_in(data, 0)
    return digits, letters, wide_loads.lowest(letters), wide_loads.highest(letters), wide_loads.ascii_letters(data, 0)


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=40), st.data())
def test_loads_are_little_endian_numbers_even_at_the_end(content: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 16))
    position = data.draw(st.integers(0, len(content) - length))
    eight, first, second = _loads(np.frombuffer(content, np.uint8), position, length)
    part = content[position : position + length]
    assert int(eight) == int(first) == int.from_bytes(part[:8], "little")
    assert int(second) == int.from_bytes(part[8:], "little")


@settings(deadline=None)
@given(st.lists(st.sampled_from(b"aZ@[`{09/:\x80\xff"), min_size=64, max_size=64))
def test_masks_have_a_bit_for_each_byte(content: list[int]) -> None:
    is_letter = [chr(byte).isalpha() and byte < 128 for byte in content]
    digits, letters, lowest, highest, leading = _masks(np.array(content, np.uint8))
    assert int(letters) == sum(letter << i for i, letter in enumerate(is_letter))
    assert int(digits) == sum((0x30 <= byte < 0x3A) << i for i, byte in enumerate(content))
    places = [i for i, letter in enumerate(is_letter) if letter]
    assert (lowest, highest) == ((places[0], places[-1]) if places else (64, -1))
    assert leading == ([*is_letter[:8], False].index(False))
