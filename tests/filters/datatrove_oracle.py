"""datatrove's filters, given our words and our sentences through its own hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from eyas.filters.heuristics.symbols import TERMINALS
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.sentences import sentences
from eyas.text_kernels.words.words import words

pytest.importorskip("datatrove")
from datatrove.data import Document
from datatrove.utils.word_tokenizers import WordTokenizer

RAISED = "ZeroDivisionError"
LETTERS = np.flatnonzero(unicode_classes.classes() == unicode_classes.CLASS_LETTER).tolist()
UNKNOWN = dict.fromkeys(code for code in LETTERS if not chr(code).isalpha())
"""For str.translate: takes out the letters that this Python does not know, where datatrove's answer changes with it."""


class OurWords(WordTokenizer):  # type: ignore[misc]
    """datatrove's hook for words and sentences, answered by our kernels."""

    def word_tokenize(self, text: str) -> list[str]:
        column = pa.array([text], pa.large_string())
        data = buffers(column)[0].tobytes()
        start, end, _ = words(column)
        return [data[i:j].decode() for i, j in zip(start.tolist(), end.tolist(), strict=True)]

    def sent_tokenize(self, text: str) -> list[str]:
        return [text[start:end] for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        data = text.encode()
        starts = sentences(pa.array([text], pa.large_string()), TERMINALS)[0].tolist()
        places = [len(data[:start].decode()) for start in starts]
        return list(zip(places, [*places[1:], len(text)], strict=True))


OURS = OurWords()


def decisions(judge: Any, texts: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """Per text datatrove's reason to drop it, or None; and the text that its filter leaves."""
    reasons: list[str | None] = []
    left: list[str] = []
    for text in texts:
        document = Document(text=text, id="")
        try:
            result = judge.filter(document)
        except ZeroDivisionError:
            result = (False, RAISED)
        reasons.append(None if result is True else result[1])
        left.append(document.text)
    return reasons, left


def ours(stage: Any, texts: Sequence[str]) -> list[str | None]:
    """Per text our reason to drop it, or None."""
    verdict = stage.judge(pa.table({"text": pa.array(texts, pa.large_string())}))
    reasons: list[str | None] = verdict.reason.to_pylist()
    assert verdict.kept.to_pylist() == [reason is None for reason in reasons]
    return reasons
