"""Short names for the types of arrays: each is a NumPy array of any shape whose numbers have one type.

Kernels name their arguments with these. The names are for people and for mypy; numba looks at the arrays themselves.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
"""UTF-8 text, or a table of one small number per code point."""
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
"""Hashes and bit sets, as a rule."""
I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
"""Positions, offsets and counts, as a rule."""
F64: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
