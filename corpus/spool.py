"""A growing array: in memory up to a budget, and beyond it in a temporary file that the system maps and pages.

It is for data that is usually small but has no bound, such as the shingles of one cluster of near-duplicates. The trade: past
the budget it is as slow as the page cache and then the disk, but memory is not exceeded.
"""

from __future__ import annotations

import tempfile
from typing import IO, Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=np.generic)


class Spool(Generic[T]):
    """Collects arrays of one type; `array()` joins them. budget: bytes to hold in memory."""

    def __init__(self, dtype: type[T], budget: float) -> None:
        self._dtype = np.dtype(dtype)
        self._budget = budget
        self._pieces: list[npt.NDArray[T]] = []
        self._file: IO[bytes] | None = None
        self.size = 0
        """Items so far."""

    def append(self, items: npt.NDArray[T]) -> None:
        """Adds a copy of `items`."""
        self.size += len(items)
        if self._file is None and self.size * self._dtype.itemsize > self._budget:
            self._file = tempfile.TemporaryFile(prefix="eyas-spool-")  # closed, and gone, with the spool
            for piece in self._pieces:
                self._file.write(piece.data)
            self._pieces = []
        if self._file is None:
            self._pieces.append(np.array(items, self._dtype))
        else:
            self._file.write(np.ascontiguousarray(items, self._dtype).data)

    def array(self) -> npt.NDArray[T]:
        """All items, in order; read-only where they lie in a file."""
        if self._file is None:
            return np.concatenate(self._pieces) if self._pieces else np.zeros(0, self._dtype)
        self._file.flush()
        mapped: npt.NDArray[T] = np.asarray(np.memmap(self._file, self._dtype, "r", shape=(self.size,)))
        return mapped
