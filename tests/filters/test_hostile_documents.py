"""Every document stage on documents that break naive code: empty, tiny, huge, of one kind of character only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hostile_documents import SMALL

from eyas.corpus import Filter, Mapper
from eyas.corpus.documents import documents
from eyas.filters.heuristics import (
    C4Quality,
    CodeQuality,
    FineWebQuality,
    GopherQuality,
    GopherRepetition,
    LineCleanup,
    MathQuality,
)
from eyas.filters.language import Language
from eyas.filters.privacy import MaskPII
from eyas.filters.repair import Repair
from eyas.filters.where import Where

STAGES: dict[str, Callable[[], Filter | Mapper]] = {
    "language": lambda: Language(keep=["en"]),
    "gopher_quality": GopherQuality,
    "gopher_repetition": GopherRepetition,
    "c4_quality": C4Quality,
    "c4_quality by sentence": lambda: C4Quality(split_paragraph=False),
    "fineweb_quality": FineWebQuality,
    "where": lambda: Where(keep="words > 3 AND repeated_2_grams / characters < 0.5"),
    "line_cleanup": lambda: LineCleanup(c4={}),
    "code_quality": CodeQuality,
    "math_quality": MathQuality,
    "mask_pii": MaskPII,
    "repair": Repair,
}
MEGABYTES = 50
HUGE = {
    "words": "the quick brown fox jumps over the lazy dog and then some more words follow\n",
    "one character": "a",
    "newlines": "\n",
    "punctuation": ".",
    "four-byte letters": "𝒳 ",
}
QUICK = ("words", "four-byte letters")
KERNELS = ("gopher_quality", "gopher_repetition", "c4_quality", "fineweb_quality", "line_cleanup")


def run(stage: Filter | Mapper, texts: list[str]) -> list[Any]:
    """What a stage says of each text: its reason, or the text it leaves."""
    docs = documents(list(range(len(texts))), texts, "s", [f"o{i}" for i in range(len(texts))])
    if isinstance(stage, Mapper):
        out = stage.map(docs)
        assert out.column("id").to_pylist() == list(range(len(texts)))
        found: list[Any] = out.column("text").to_pylist()
        return found
    verdict = stage.judge(docs)
    assert len(verdict) == len(texts) and verdict.kept.null_count == 0
    return list(zip(verdict.kept.to_pylist(), verdict.reason.to_pylist(), strict=True))


@pytest.mark.parametrize("name", STAGES)
def test_small_documents_are_judged_alone_as_together(name: str) -> None:
    stage = STAGES[name]()
    texts = list(SMALL.values())
    together = run(stage, texts)
    assert [run(stage, [text])[0] for text in texts] == together
    assert run(stage, texts[::-1]) == together[::-1]
    assert run(stage, []) == []


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    "kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in HUGE if kind not in QUICK)]
)
def test_a_document_of_fifty_megabytes(name: str, kind: str) -> None:
    """What a kernel says of 50 MB of the same is what it says of 50 kB of it, where it looks at shares."""
    unit = HUGE[kind]
    # A line has 90 bytes of figures of its own: 50 million empty ones would take the memory of this machine.
    by_line = name in ("c4_quality", "line_cleanup") and kind == "newlines"
    megabytes = MEGABYTES // 10 if by_line else MEGABYTES
    text = unit * (megabytes * 1_000_000 // len(unit.encode()))
    small = unit * (megabytes * 1_000 // len(unit.encode()))
    options = {"max_doc_words": None} if name == "gopher_quality" else {}
    stage = STAGES[name]() if not options else GopherQuality(**options)
    large, little = run(stage, [text])[0], run(stage, [small])[0]
    if isinstance(stage, Mapper):
        assert len(large) == 0 if len(little) == 0 else len(large) > 900 * len(little)
    else:
        assert large == little


def test_a_huge_document_beside_small_ones_changes_nothing_for_them() -> None:
    texts = ["a small text. " * 30, "x y " * 3_000_000, "a small text. " * 30]
    for name in KERNELS:
        first, _, last = run(STAGES[name](), texts)
        assert first == last == run(STAGES[name](), texts[:1])[0]
