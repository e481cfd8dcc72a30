"""What tests of several long-context stages share: hostile texts, document tables, and checks of joined texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa
from hypothesis import strategies as st

from eyas.corpus.documents import PARENT, SPANS, documents
from eyas.synthetic.long_context import joined
from eyas.synthetic.long_context.joined import TargetJoiner

PIECES = [*"aZé中ॠ\U0010ffff\u0301\u200d\0\r\x85\u2028 ", "\n", "\n\n", "\r\n\r\n", "👩\u200d💻", "<|fim", "_prefix|>"]
PIECES += ["[segment", " 1]\n", "[right order", "|>", "<|", "\n \n", "a paragraph of some length.\n\n"]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join)
TOPICS = ["alpha", "bravo", "gamma", "delta", "omega"]


def docs(texts: Sequence[str], origins: Sequence[str] | None = None, first: int = 3 << 32) -> pa.Table:
    """A document table whose ids count from `first`."""
    ids = list(range(first, first + len(texts)))
    return documents(ids, list(texts), "s", list(origins or [f"/code/r/{i}.py" for i in range(len(texts))]))


def within(count: int, share: float, total: int) -> bool:
    """Whether a random count deviates from its share by at most five standard deviations."""
    return abs(count - share * total) <= 5 * math.sqrt(total * share * (1 - share))


def check(stage: TargetJoiner, table: pa.Table, joined_texts: pa.Table) -> None:
    """Asserts that every joined text holds its parents byte for byte, each once, and keeps to its target."""
    text_of = dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))
    used: list[int] = []
    for row in joined_texts.to_pylist():
        assert joined.restore(row["text"], row[SPANS.name]) == [text_of[parent] for parent in row[PARENT.name]]
        assert stage.least <= len(row["text"].encode()) <= stage.limit
        used += row[PARENT.name]
    assert len(set(used)) == len(used)
