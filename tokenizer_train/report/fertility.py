"""Fertility: what a tokenizer makes of text, by group.

Bytes per token compare vocabularies of any size (higher is better); tokens per word is fertility in the narrow sense
(lower is better). Falcon-H1's authors found that neither should choose a tokenizer by itself: splitting digits and
punctuation costs fertility and improves code and mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from eyas.tokenizer_train.encoding.encoder import Encoder


@dataclass
class Fertility:
    """Sums over a group of documents."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    tokens: int = 0

    def to_json(self) -> dict[str, float]:
        """The sums and the two ratios."""
        tokens = max(self.tokens, 1)
        return {
            **self.__dict__,
            "bytes_per_token": self.bytes / tokens,
            "tokens_per_word": self.tokens / max(self.words, 1),
        }


def measure(
    encoder: Encoder, docs: pa.Table, groups: Mapping[str, pa.ChunkedArray], into: dict[str, Fertility]
) -> None:
    """Adds the documents to the sums `into`, under "all" and, per grouping, under "<grouping>: <value>"."""
    text = docs.column("text").combine_chunks()
    counts = pa.table(
        {
            "bytes": pc.binary_length(text),
            "words": _words(text),
            "tokens": pc.list_value_length(encoder.encode(text)),
            **{name: column.cast(pa.string()) for name, column in groups.items()},
        }
    )
    _add(into, "all", counts)
    for name in groups:
        for value in pc.unique(counts.column(name)).to_pylist():
            rows = counts.filter(pc.equal(counts.column(name), value)) if value is not None else None
            if rows is not None:
                _add(into, f"{name}: {value}", rows)


def _words(text: pa.LargeStringArray) -> pa.Array:
    """Words between white space; an empty string before the first or after the last of it is none."""
    found = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text)))
    return pc.if_else(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0), 0, found)


def _add(into: dict[str, Fertility], name: str, rows: pa.Table) -> None:
    total = into.setdefault(name, Fertility())
    total.documents += rows.num_rows
    for column in ("bytes", "words", "tokens"):
        setattr(total, column, getattr(total, column) + (pc.sum(rows.column(column)).as_py() or 0))
