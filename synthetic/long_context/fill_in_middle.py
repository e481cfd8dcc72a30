"""Fill-in-the-middle: cuts a document in three and moves its middle to the end, where a model learns to write it.

It follows Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle" (arXiv:2207.14255): they cut at
characters, half of the documents, and put the suffix first in half of these; up to a rate of 0.9, left-to-right loss does not
suffer. Cuts are made before tokenization, so a model meets cuts within tokens, as an editor's cursor makes them. The trade:
cuts fall between code points, not graphemes, so a cut may part a letter from its accent; cursors do so too. 297 MB/s on one
core, rate 0.5.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.documents import CONTROL, NOTE
from eyas.corpus.options import Options
from eyas.corpus.stage import Mapper
from eyas.errors import InputError
from eyas.synthetic.long_context.marks import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    check_marks,
    control_of,
    joined_already,
    put,
    uniform,
)

COLUMN = "fim"
HELD = "sentinel"
"""The column's value for a document that already holds a sentinel. Such a document is left unchanged."""


class Sentinels(Options):
    """The tokens that mark the pieces. They must be control tokens of the tokenizer that packs the text."""

    prefix: str = FIM_PREFIX
    """The token before the prefix."""
    suffix: str = FIM_SUFFIX
    """The token before the suffix."""
    middle: str = FIM_MIDDLE
    """The token before the middle."""

    @model_validator(mode="after")
    def _distinct(self) -> Sentinels:
        check_marks(self.all)
        return self

    @property
    def all(self) -> tuple[str, str, str]:
        """The three tokens."""
        return self.prefix, self.suffix, self.middle


class FillInMiddle(Mapper):
    """Moves the middle of some documents to their end. The column `fim` records the form: psm, spm, null, or `sentinel`."""

    adds: ClassVar[dict[str, pa.DataType]] = {COLUMN: pa.string(), CONTROL.name: CONTROL.type}

    rate: float = Field(default=0.5, ge=0.0, le=1.0)
    """The share of documents that are cut (Bavarian, StarCoder2: 0.5)."""
    spm_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """The share of cut documents with the suffix first, `<prefix><suffix>S<middle>P M` (Bavarian: half and half)."""
    min_characters: int = Field(default=0, ge=0)
    """Shorter documents are left unchanged (ours: 0)."""
    joined: bool = False
    """Whether joined documents are cut, too (ours: no, because a cut tears a question from its answer)."""
    seed: int = Field(default=0, ge=0)
    """Another seed chooses other documents and other cuts. Both depend only on the seed and a document's id."""
    sentinels: Sentinels = Sentinels()
    """The tokens that mark the pieces."""

    def map(self, docs: pa.Table) -> pa.Table:
        ids = docs.column("id").to_numpy()
        drawn, how, first, second = (uniform(ids, self.seed, draw) for draw in range(1, 5))
        texts, control = docs.column("text").to_pylist(), control_of(docs)
        exempt = [False] * len(texts) if self.joined else joined_already(docs)
        kinds: list[str | None] = [None] * len(texts)
        notes: list[str | None] = [None] * len(texts)
        for row in np.flatnonzero(drawn < self.rate).tolist():
            text = texts[row]
            if exempt[row] or len(text) < self.min_characters:
                continue
            if any(mark in text for mark in self.sentinels.all):
                kinds[row], notes[row] = HELD, "left as it is: it holds a sentinel already"
                continue
            kinds[row] = "spm" if how[row] < self.spm_share else "psm"
            cuts = sorted(int(share[row] * (len(text) + 1)) for share in (first, second))
            start, end = (_outside(text, cut, control[row] or []) for cut in cuts)
            texts[row] = cut_in_three(text, start, end, kinds[row] == "spm", self.sentinels)
            control[row] = [*(control[row] or []), *self.sentinels.all]
            notes[row] = f"{kinds[row]}, middle: characters {start} to {end}"
        docs = put(docs, "text", pa.array(texts, pa.large_string()))
        docs = put(docs, COLUMN, pa.array(kinds, pa.string()))
        docs = put(docs, CONTROL.name, pa.array(control, CONTROL.type))
        return put(docs, NOTE, pa.array(notes, pa.string()))


def cut_in_three(text: str, start: int, end: int, spm: bool, sentinels: Sentinels) -> str:
    """`text` with its middle, the characters `start` to `end`, moved to the end."""
    prefix, middle, suffix = text[:start], text[start:end], text[end:]
    if spm:
        return f"{sentinels.prefix}{sentinels.suffix}{suffix}{sentinels.middle}{prefix}{middle}"
    return f"{sentinels.prefix}{prefix}{sentinels.suffix}{suffix}{sentinels.middle}{middle}"


def restore(text: str, how: str | None, sentinels: Sentinels | None = None) -> str:
    """The original document. `how` is its value in the column `fim`; ValueError if the text does not have that form."""
    if how in (None, HELD):
        return text
    given = sentinels or Sentinels()
    prefix, suffix, middle = given.all
    if how not in ("psm", "spm") or not text.startswith(prefix) or any(text.count(mark) != 1 for mark in given.all):
        raise InputError(f"expected a text cut by fill_in_middle ({prefix}…{suffix}…{middle}…), found {text[:60]!r}")
    first, _, rest = text[len(prefix) :].partition(suffix)
    last, _, moved = rest.partition(middle)
    # With the suffix first, prefix and middle follow the middle token as one text.
    return first + moved + last


def _outside(text: str, cut: int, tokens: list[str]) -> int:
    """`cut`, or the start of the control token that it would split."""
    for token in tokens:
        at = text.rfind(token, 0, cut + len(token) - 1)
        if at >= 0 and at < cut < at + len(token):
            return at
    return cut
