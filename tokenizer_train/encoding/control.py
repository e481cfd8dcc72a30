"""Encodes control tokens inside a text: only those that a stage put there and named, never those that a page spells.

The encoder takes every text as characters. The text of a document with the column `control_tokens` is cut at these tokens,
the pieces are encoded like any text, and the tokens' ids are put between the pieces' ids. The trade: cutting is Python,
1 µs a token, and costs nothing for documents without the column.
"""
# Tested in tests/synthetic/test_control_tokens.py.

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.tokenizer_train.encoding.encoder import Encoder


def encode_with_control(encoder: Encoder, text: pa.LargeStringArray, control: pa.Array) -> pa.LargeListArray:
    """The ids of each text, as from `encoder.encode`. `control`: list<string>, each text's control tokens, or null.

    Raises ValueError for a name that is no control token of the tokenizer.
    """
    wanted = pc.fill_null(pc.greater(pc.list_value_length(control), 0), False)
    rows = np.flatnonzero(wanted.to_numpy(zero_copy_only=False))
    if not len(rows):
        return encoder.encode(text)
    pieces: list[str] = []
    row_of_piece: list[int] = []
    id_after: list[int] = []
    """The control token that follows each piece; -1 behind the last piece of a text."""
    for row in rows.tolist():
        names = control[row].as_py()
        ids = {name: encoder.control_id(name) for name in names}
        parts = re.split("(" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + ")", text[row].as_py())
        pieces += parts[::2]
        row_of_piece += [row] * len(parts[::2])
        id_after += [*(ids[name] for name in parts[1::2]), -1]
    rest = np.flatnonzero(~wanted.to_numpy(zero_copy_only=False))
    plain = encoder.encode(text.take(pa.array(rest)))
    joined = _joined(encoder.encode(pa.array(pieces, pa.large_string())), np.array(row_of_piece), np.array(id_after))
    back = np.argsort(np.concatenate([rest, rows]), kind="stable")
    return pa.concat_arrays([plain, joined]).take(pa.array(back))


def _joined(
    pieces: pa.LargeListArray, row_of_piece: npt.NDArray[np.int64], id_after: npt.NDArray[np.int64]
) -> pa.LargeListArray:
    """The ids of each row: those of its pieces, each followed by its control token."""
    values, counts = pieces.flatten().to_numpy(), np.diff(pieces.offsets.to_numpy())
    ends = np.cumsum(counts)
    flat = np.insert(values, ends[id_after >= 0], id_after[id_after >= 0].astype(values.dtype))
    lengths = counts + (id_after >= 0)
    last = np.flatnonzero(np.diff(row_of_piece, append=-1))
    offsets = np.concatenate([[0], np.cumsum(lengths)[last]])
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(flat))
