"""The base of stages that join documents: a target length, and a joined text that records the place of each parent.

Lengths are estimated from bytes, because joining comes before the tokenizer: in our mixed corpus, a token of a vocabulary of
16,384 takes 3.0 bytes (docs/log.md). The trade: no document is cut to fill a gap, so a text is as long as whole documents
make it, and never longer than the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from eyas.corpus.documents import CONTROL, PARENT, SPANS
from eyas.corpus.stage import Joiner

COLUMN = "long_context"
_NO_TOKENS: tuple[str, ...] = ()


class TargetJoiner(Joiner):
    """Joins whole documents up to a target length."""

    adds: ClassVar[Mapping[str, pa.DataType]] = {
        COLUMN: pa.string(),
        SPANS.name: SPANS.type,
        CONTROL.name: CONTROL.type,
    }

    target_tokens: int = Field(default=32_768, ge=64, le=262_144)
    """Target length. No text is longer by the estimate (Falcon-H1 was trained on up to 256K tokens)."""
    bytes_per_token: float = Field(default=3.0, gt=0)
    """Estimated bytes of a token (ours: 3.0 with a vocabulary of 16,384). A run's shards have the exact `bytes_per_token`."""
    min_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Texts shorter than this share of the target are not made (ours; ProLong keeps texts of the full target length)."""

    @property
    def limit(self) -> int:
        """The target in UTF-8 bytes."""
        return int(self.target_tokens * self.bytes_per_token)

    @property
    def least(self) -> int:
        """The shortest text that is made, in UTF-8 bytes."""
        return int(self.min_share * self.limit)


@dataclass
class Joined:
    """A joined text under construction. Documents and the text between them are added in order."""

    kind: str
    tokens: Sequence[str] = _NO_TOKENS
    """The marks in the text that are control tokens."""
    parents: list[int] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    size: int = 0
    """UTF-8 bytes so far."""
    _pieces: list[str] = field(default_factory=list)

    def add_words(self, words: str) -> None:
        """Adds text that belongs to no document."""
        self._pieces.append(words)
        self.size += len(words.encode())

    def add(self, document: int, text: str) -> None:
        """Adds a document."""
        self.parents.append(document)
        self.spans += [self.size, self.size + len(text.encode())]
        self.add_words(text)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self._pieces)


def table_of(texts: Iterable[Joined]) -> pa.Table:
    """The joined texts as the table that a joiner's `generate` returns."""
    items = list(texts)
    columns: dict[str, pa.Array] = {
        "text": pa.array([item.text for item in items], pa.large_string()),
        PARENT.name: pa.array([item.parents for item in items], PARENT.type),
        "error": pa.nulls(len(items), pa.string()),
        COLUMN: pa.array([item.kind for item in items], pa.string()),
        SPANS.name: pa.array([item.spans for item in items], SPANS.type),
        CONTROL.name: pa.array([list(item.tokens) or None for item in items], CONTROL.type),
    }
    return pa.table(columns)


def restore(text: str, spans: Sequence[int]) -> list[str]:
    """The parents' texts, in the order of `parent`, from a joined text and its column `spans`; byte for byte."""
    data = text.encode()
    return [data[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]


def filled(items: Sequence[Any], sizes: Sequence[int], limit: int) -> Iterator[list[Any]]:
    """Groups of items with sizes that add up to at most `limit`, by first fit in order. Larger items are left out."""
    waiting = [place for place, size in enumerate(sizes) if size <= limit]
    while waiting:
        taken, left, space = [], [], limit
        for place in waiting:
            if sizes[place] <= space:
                taken.append(items[place])
                space -= sizes[place]
            else:
                left.append(place)
        waiting = left
        yield taken


def runs_up_to(items: Iterable[Any], sizes: Sequence[int], limit: int) -> Iterator[list[Any]]:
    """Runs of neighbours with sizes that add up to at most `limit`, in order. Larger items are left out."""
    run: list[Any] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        if size > limit:
            continue
        if total + size > limit:
            yield run
            run, total = [], 0
        run.append(item)
        total += size
    if run:
        yield run
