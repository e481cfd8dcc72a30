"""Fertility: how many tokens a tokenizer makes of text, by group of documents.

Bytes per token compare vocabularies of any size (higher is better); tokens per word is fertility in the narrow sense
(lower is better). Falcon-H1's authors found that neither should choose a tokenizer by itself: splitting digits and
punctuation costs fertility and improves code and mathematics. Both reports, a run's and `eyas tokenizer report`'s, take
these ratios from `Ratios`. They count words differently: a run's report counts what stands between white space, the
comparison (`eyas.tokenizer_train.report.comparison`) counts words by `eyas.text_kernels.words`, which cuts Chinese too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from eyas.tokenizer_train.encoding.encoder import Encoder


class Ratios:
    """The ratios of a sum over texts; a subclass has the three sums."""

    bytes: int
    words: int
    tokens: int

    @property
    def bytes_per_token(self) -> float:
        """How much text a token holds: higher is better."""
        return self.bytes / max(self.tokens, 1)

    @property
    def tokens_per_word(self) -> float:
        """Fertility: lower is better."""
        return self.tokens / max(self.words, 1)


@dataclass
class Fertility(Ratios):
    """Sums over a group of documents."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    tokens: int = 0

    def to_json(self) -> dict[str, float]:
        """The sums and the two ratios."""
        return {**asdict(self), "bytes_per_token": self.bytes_per_token, "tokens_per_word": self.tokens_per_word}


def measure(
    encoder: Encoder, docs: pa.Table, groups: Mapping[str, pa.ChunkedArray], sums: dict[str, Fertility]
) -> None:
    """Adds the documents to `sums`, under "all" and, for each column of `groups`, under "<its name>: <value>"."""
    text = docs.column("text").combine_chunks()
    counts = pa.table(
        {
            "bytes": pc.binary_length(text),
            "words": _words(text),
            "tokens": pc.list_value_length(encoder.encode(text)),
            **{name: column.cast(pa.string()) for name, column in groups.items()},
        }
    )
    _add(sums, "all", counts)
    for name in groups:
        for value in pc.unique(counts.column(name)).to_pylist():
            if value is not None:
                _add(sums, f"{name}: {value}", counts.filter(pc.equal(counts.column(name), value)))


def _words(text: pa.LargeStringArray) -> pa.Array:
    """Words between white space; a text of white space alone has none."""
    trimmed = pc.utf8_trim_whitespace(text)
    pieces = pc.list_value_length(pc.utf8_split_whitespace(trimmed))
    return pc.if_else(pc.equal(pc.utf8_length(trimmed), 0), 0, pieces)


def _add(sums: dict[str, Fertility], name: str, rows: pa.Table) -> None:
    total = sums.setdefault(name, Fertility())
    total.documents += rows.num_rows
    for column in ("bytes", "words", "tokens"):
        setattr(total, column, getattr(total, column) + (pc.sum(rows.column(column)).as_py() or 0))
