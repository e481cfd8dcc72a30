"""Loads and comparisons of 8, 16 or 64 bytes at a time, from any position in a text.

With them a pretoken is hashed in two or three instructions. The trade: the result depends on byte order. Numba runs on
little-endian machines only (x86-64, arm64), and importing this module elsewhere raises ImportError. A pretoken of up to 16
bytes (99 % of them are) *is* its two words: comparing it needs no look at the text.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from eyas.text_kernels.jit import part
from eyas.text_kernels.types import Bytes

_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_CASE: Final = np.uint64(0x2020202020202020)
_SEVEN: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_EIGHTH: Final = np.uint64(0x8080808080808080)
_FROM_A: Final = np.uint64(0x1F1F1F1F1F1F1F1F)
_PAST_Z: Final = np.uint64(0x0505050505050505)

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("text_kernels needs a little-endian machine (x86-64, arm64)")


@intrinsic  # type: ignore[untyped-decorator]
def load_8(_context: Any, data: Any, position: Any) -> Any:
    """The uint64 that starts at `data[position]`, unaligned; the caller makes sure that eight bytes are there."""
    signature = types.uint64(data, position)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.gep(array.data, [arguments[1]])
        wide = builder.bitcast(start, ir.IntType(64).as_pointer())
        load = builder.load(wide)
        load.align = 1
        return load

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def _trailing_zeros(_context: Any, value: Any) -> Any:
    """How many low bits of a uint64 are 0; 64 for 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _leading_zeros(_context: Any, value: Any) -> Any:
    """How many high bits of a uint64 are 0; 64 for 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _mask_64(_context: Any, data: Any, position: Any, fold: Any, low: Any, count: Any) -> Any:
    """Bit i: whether `(data[position + i] | fold) - low` is below `count`; 64 bytes must be there. One comparison of all."""
    signature = types.uint64(data, position, fold, low, count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.gep(array.data, [arguments[1]])
        byte, number = ir.IntType(8), ir.IntType(32)
        vector = ir.VectorType(byte, 64)
        load = builder.load(builder.bitcast(start, vector.as_pointer()))
        load.align = 1

        def all_lanes(value: Any) -> Any:
            single = builder.insert_element(ir.Constant(vector, ir.Undefined), builder.trunc(value, byte), number(0))
            lanes = ir.Constant(ir.VectorType(number, 64), [number(0)] * 64)
            return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), lanes)

        moved = builder.sub(builder.or_(load, all_lanes(arguments[2])), all_lanes(arguments[3]))
        below = builder.icmp_unsigned("<", moved, all_lanes(arguments[4]))
        return builder.bitcast(below, ir.IntType(64))

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def least_of_16(_context: Any, data: Any, position: Any) -> Any:
    """The smallest of the 16 int32 from `data[position]` on; the caller makes sure that they are there."""
    signature = types.int32(data, position)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(ir.IntType(32), 16)
        start = builder.gep(array.data, [arguments[1]])
        load = builder.load(builder.bitcast(start, vector.as_pointer()))
        load.align = 4
        kind = ir.FunctionType(ir.IntType(32), [vector])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.smin.v16i32")
        return builder.call(function, [load])

    return signature, generate


@part
def bytes_in(data: Bytes, position: int, low: int, count: int) -> np.uint64:
    """Bit i: whether `data[position + i]` is one of the `count` values (below 256) from `low` on; 64 bytes must be there."""
    return np.uint64(_mask_64(data, position, 0, low, count))


@part
def letters_in(data: Bytes, position: int) -> np.uint64:
    """Bit i: whether `data[position + i]` is an ASCII letter; 64 bytes must be there."""
    return np.uint64(_mask_64(data, position, 0x20, 0x61, 26))


@part
def lowest(mask: np.uint64) -> int:
    """The place of the lowest bit; 64 if there is none."""
    return int(np.int64(_trailing_zeros(mask)))


@part
def highest(mask: np.uint64) -> int:
    """The place of the highest bit; -1 if there is none."""
    return 63 - int(np.int64(_leading_zeros(mask)))


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, data: Any, position: Any) -> Any:
    """Starts loading the cache line of `data[position]`; changes nothing."""
    signature = types.void(data, position)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature, generate


@part
def ascii_letters(data: Bytes, position: int) -> int:
    """How many ASCII letters there are from `position` on, without a break, at most 8; eight bytes must be there.

    All eight at once: with bit 7 cleared, adding moves a byte above 127 just where it reaches "a", and where it passes "z".
    """
    word = np.uint64(load_8(data, position))
    small = (word | _CASE) & _SEVEN
    letters = (small + _FROM_A) & ~(small + _PAST_Z) & ~word & _EIGHTH
    return int(np.int64(_trailing_zeros(letters ^ _EIGHTH) >> np.uint64(3)))


@part
def load(data: Bytes, position: int, length: int) -> np.uint64:
    """Bytes `position` to `position + length` (1 to 8 of them) as one little-endian number; bytes beyond count as 0."""
    if position + 8 <= len(data):
        return np.uint64(load_8(data, position) & (_ALL >> np.uint64(64 - 8 * length)))
    value = np.uint64(0)
    for i in range(length):
        value |= np.uint64(data[position + i]) << np.uint64(8 * i)
    return value


@part
def load_16(data: Bytes, position: int, length: int) -> tuple[np.uint64, np.uint64]:
    """1 to 16 bytes as two numbers, without a branch on their length where 16 bytes are there."""
    if position + 16 <= len(data):
        first, second = np.uint64(load_8(data, position)), np.uint64(load_8(data, position + 8))
        # A shift by 64 is none: of the second word's mask, first all but one byte, then that one.
        low, high = min(length, 8), max(length - 8, 0)
        return first & (_ALL >> np.uint64(64 - 8 * low)), second & ~(
            (_ALL << np.uint64(4 * high)) << np.uint64(4 * high)
        )
    first, second = np.uint64(0), np.uint64(0)
    for i in range(min(length, 8)):
        first |= np.uint64(data[position + i]) << np.uint64(8 * i)
    for i in range(8, length):
        second |= np.uint64(data[position + i]) << np.uint64(8 * (i - 8))
    return first, second
