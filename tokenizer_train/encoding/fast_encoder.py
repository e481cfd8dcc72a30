"""The fast encoder: one per thread, with a cache of the pretokens that the thread has met.

The cache grows with the text up to a million pretokens, about 130 MB. Then it is emptied, so memory is bounded. Results
never depend on it.
"""
# Tested in tests/tokenizer_train/encoding/test_encoder.py.

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.pretokens.rules import kinds
from eyas.text_kernels.pretokens.table import new_slots
from eyas.tokenizer_train.encoding.byte_level import ByteLevel
from eyas.tokenizer_train.encoding.encode_kernel import (
    ARENA,
    IDS,
    POSITION,
    PRETOKENS,
    Chunk,
    Known,
    encode_new,
    grow,
    number_pretokens,
    write_ids,
)

T = TypeVar("T", bound=np.generic)

MOST_PRETOKENS: Final = 1_000_000
"""Pretokens beyond which the cache is emptied."""
MOST_BYTES: Final = 64_000_000
"""Bytes of long pretokens, or of ids of pretokens with more than three, beyond which the cache is emptied."""
_FIRST_POWER: Final = 14


class FastEncoder:
    """Encodes chunks of text one after the other, on one thread."""

    def __init__(self, tokenizer: ByteLevel) -> None:
        self._tokenizer = tokenizer
        self._table = kinds(tokenizer.rules.marks, tokenizer.rules.ideographs)
        self._chunk = Chunk(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint32))
        self._forget()

    def _forget(self) -> None:
        self._known = Known(
            new_slots(_FIRST_POWER),
            np.empty(0, np.uint8),
            np.empty(0, np.uint64),
            np.empty(0, np.int32),
            np.zeros(3, np.int64),
        )

    def encode(
        self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], dtype: Any
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """`(ids, lengths)`: the ids of the documents between `offsets`, of type `dtype`, and how many each has."""
        self._make_room(int(offsets[-1] - offsets[0]))
        before = int(self._known.used[PRETOKENS])
        reached = np.zeros(3, np.int64)
        reached[POSITION] = offsets[0]
        pretokens = np.zeros(len(offsets) - 1, np.int64)
        while not number_pretokens(
            data, offsets, self._table, self._tokenizer.rules, self._known, self._chunk, before, reached, pretokens
        ):
            larger = np.zeros(2 * len(self._known.slots), np.uint64)
            grow(self._known.slots, larger)
            self._known = self._known._replace(slots=larger)
        encode_new(data, self._tokenizer.model, self._known, self._chunk, before)
        lengths = np.empty(len(pretokens), np.int64)
        count = write_ids(self._known, self._chunk, pretokens, lengths)
        # The ids are copied and `_chunk` is used again: new pages from the system cost as much as encoding does.
        return self._chunk.ids[:count].astype(dtype), lengths

    def _make_room(self, size: int) -> None:
        """Makes room for a chunk of `size` bytes. Pages that are never written take no memory."""
        used = self._known.used
        if used[PRETOKENS] > MOST_PRETOKENS or used[ARENA] > MOST_BYTES or 4 * used[IDS] > MOST_BYTES:
            self._forget()
            used = self._known.used
        if len(self._chunk.order) < size:
            self._chunk = Chunk(
                np.empty(size, np.int32),
                np.empty(size, np.int64),
                np.empty(size, np.int64),
                np.empty(size + 3, np.uint32),
            )
        self._known = self._known._replace(
            arena=_roomy(self._known.arena, int(used[ARENA]), size),
            values=_roomy(self._known.values, int(used[PRETOKENS]), size),
            ids=_roomy(self._known.ids, int(used[IDS]), 2 * size),
        )


def _roomy(array: npt.NDArray[T], used: int, more: int) -> npt.NDArray[T]:
    """The array, or a larger one that begins with its first `used` elements. (`resize` would write to every new page.)"""
    if len(array) >= used + more:
        return array
    larger = np.empty(2 * (used + more), array.dtype)
    larger[:used] = array[:used]
    return larger
