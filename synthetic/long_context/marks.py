"""Marks that stages insert into texts, chosen so that every mark in a text was inserted by a stage.

The trade: a text that already holds a mark is left alone. Escaping it would teach a model the escapes. Of 4,598 documents of
eleven kinds (19 MB) none holds one of the tokenizer's fill-in-the-middle tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.documents import CONTROL, SPANS
from eyas.corpus.sampling import hash_rank
from eyas.errors import InputError

FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
REPOSITORY, FILE = "<|repository|>", "<|file|>"
"""Names from `eyas.tokenizer_train.options.SPECIAL_TOKENS`; a test compares them."""


def check_marks(marks: Sequence[str]) -> None:
    """Raises ValueError unless marks can always be distinguished from the text around them.

    No mark may contain another, nor begin with an ending of another or of itself. Then text without marks, put between
    marks, forms no new ones.
    """
    for i, mark in enumerate(marks):
        if not mark:
            raise InputError("a mark must not be empty: give a token such as <|fim_prefix|>")
        for j, other in enumerate(marks):
            if i != j and mark in other:
                raise InputError(f"the mark {mark!r} is part of {other!r}: marks must differ, none part of another")
            most = min(len(mark), len(other)) - 1
            if any(mark.startswith(other[-n:]) for n in range(1, most + 1)):
                raise InputError(f"the mark {mark!r} begins as {other!r} ends: take marks such as <|…|>")


def uniform(ids: npt.NDArray[np.uint64], seed: int, draw: int) -> npt.NDArray[np.float64]:
    """float64[ids] in [0, 1): the random number `draw` of each id. It is the same in any order, batch or process."""
    return (hash_rank(hash_rank(ids, seed), draw) >> np.uint64(11)).astype(np.float64) / 2.0**53


def control_of(docs: pa.Table) -> list[list[str] | None]:
    """The control tokens of each document so far."""
    if CONTROL.name not in docs.column_names:
        return [None] * docs.num_rows
    tokens: list[list[str] | None] = docs.column(CONTROL.name).to_pylist()
    return tokens


def joined_already(docs: pa.Table) -> list[bool]:
    """Whether each document was joined from others by a stage."""
    if SPANS.name not in docs.column_names:
        return [False] * docs.num_rows
    joined: list[bool] = docs.column(SPANS.name).is_valid().to_pylist()
    return joined


def put(docs: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """`docs` with a column added, or replaced if it has one of that name."""
    at = docs.column_names.index(name) if name in docs.column_names else None
    return docs.append_column(name, column) if at is None else docs.set_column(at, name, column)
