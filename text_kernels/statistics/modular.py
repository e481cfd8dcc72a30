"""Polynomial hashes modulo the Mersenne prime 2^61 - 1: hashes of strings that can be cut and joined.

The hash of any span of a text follows from two prefix hashes and one power, so n-grams of any length cost the same.
The trade: a 128-bit product for every code point, some 2 ns, where `hashing.mix` needs one; but modulo 2^64 two texts
made of a Thue-Morse word collide for every base, and here two different texts of n code points collide with
probability n / 2^61 at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from eyas.text_kernels.jit import helper
from eyas.text_kernels.types import U64

PRIME: Final = np.uint64((1 << 61) - 1)
BASE: Final = np.uint64(0x1B6F_3A7C_95D2_E48B % ((1 << 61) - 1))
"""An arbitrary number that must never change: hashes never leave the process, but decisions must be the same everywhere."""
_61: Final = np.uint64(61)
_3: Final = np.uint64(3)
_1: Final = np.uint64(1)
POWERS: Final = 4096


@intrinsic  # type: ignore[misc, untyped-decorator, unused-ignore]  # numba has no types
def _high_product(_context: Any, a: Any, b: Any) -> Any:
    """The upper 64 bits of the product, for which numba has no operator."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        wide = ir.IntType(128)
        x, y = (builder.zext(argument, wide) for argument in arguments)
        upper = builder.lshr(builder.mul(x, y), ir.Constant(wide, 64))
        return builder.trunc(upper, ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


_high: Callable[[np.uint64, np.uint64], np.uint64] = _high_product


@helper
def multiply(a: np.uint64, b: np.uint64) -> np.uint64:
    """a * b modulo PRIME, of two numbers below PRIME."""
    low = a * b
    total = (low & PRIME) + ((low >> _61) | (_high(a, b) << _3))
    return total - PRIME if total >= PRIME else total


@helper
def append(state: np.uint64, item: np.uint64) -> np.uint64:
    """The prefix hash after one more item. Items count from 0; the empty prefix is 0."""
    low = state * BASE
    total = (low & PRIME) + ((low >> _61) | (_high(state, BASE) << _3)) + item + _1
    return total - PRIME if total >= PRIME else total


@helper
def span(before: np.uint64, after: np.uint64, power: np.uint64) -> np.uint64:
    """The hash of what was appended between two prefix hashes; `power`: BASE to its length."""
    taken = multiply(before, power)
    return after - taken if after >= taken else after + PRIME - taken


@helper
def power_of(length: int, powers: U64) -> np.uint64:
    """BASE to `length`; `powers` is `first_powers()`."""
    result: np.uint64 = powers[length % POWERS]
    rest = length // POWERS
    square = powers[POWERS]
    while rest > 0:
        if rest & 1:
            result = multiply(result, square)
        square = multiply(square, square)
        rest >>= 1
    return result


def first_powers() -> U64:
    """uint64[POWERS + 1]: BASE to 0, 1 … POWERS."""
    powers, value = np.empty(POWERS + 1, np.uint64), 1
    for exponent in range(POWERS + 1):
        powers[exponent] = value
        value = value * int(BASE) % int(PRIME)
    return powers
