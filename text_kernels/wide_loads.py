"""Eight bytes of text at a time, from any position: what makes hashing a pretoken two or three instructions.

The trade: the result depends on byte order, so nothing that is stored may be made of it on a big-endian machine; numba
runs on little-endian ones only (x86-64, arm64), and the module says so when it is loaded elsewhere. A pretoken of up to
16 bytes, 99 % of them, *is* its two words: comparing it needs no look at the text.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from text_kernels.jit import helper

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("text_kernels needs a little-endian machine (x86-64, arm64)")


@intrinsic  # type: ignore[untyped-decorator]
def _load_8(_context: Any, data: Any, position: Any) -> Any:
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


@helper
def load(data: npt.NDArray[np.uint8], position: int, length: int) -> np.uint64:
    """Bytes `position` to `position + length` (0 to 8 of them) as one little-endian number; bytes beyond count as 0."""
    if length <= 0:
        return np.uint64(0)
    if position + 8 <= len(data):
        return np.uint64(_load_8(data, position) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * length)))
    value = np.uint64(0)
    for i in range(length):
        value |= np.uint64(data[position + i]) << np.uint64(8 * i)
    return value
