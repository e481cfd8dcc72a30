"""Jaccard similarity of two texts in plain Python, to audit what kernels, hashes and shuffles have decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from filters.dedup.audit import Auditor, Pair
from text_kernels.utf8 import buffers
from text_kernels.words import SKIP, normalising, words

if TYPE_CHECKING:
    from filters.dedup.minhash import MinhashDedup


class JaccardAuditor(Auditor):
    """Compares sets of word tuples."""

    def __init__(self, stage: MinhashDedup) -> None:
        self.stage = stage

    def right(self, pair: Pair) -> tuple[bool, float]:
        left, right = (self.shingles(document["text"]) for document in (pair.kept, pair.dropped))
        value = len(left & right) / max(len(left | right), 1)
        return value >= self.stage.verify_jaccard, value

    def shingles(self, text: str) -> set[tuple[str, ...]]:
        """The distinct runs of `shingle_words` normalised words; all words as one, if there are fewer."""
        found = [self._normalised(word) for word in _words(text)]
        if self.stage.skip_punctuation:
            found = [word for word in found if any(c.isalnum() for c in word)]
        n = min(self.stage.shingle_words, len(found))
        return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)} if found else set()

    def _normalised(self, word: str) -> str:
        table = normalising(self.stage.fold_case, self.stage.fold_digits)
        codes = [int(table[ord(character)]) for character in word]
        return "".join(chr(code) for code in codes if code != SKIP)


def _words(text: str) -> list[str]:
    column = pa.array([text], pa.large_string())
    data = buffers(column)[0].tobytes()
    start, end, _ = words(column)
    return [data[i:j].decode() for i, j in zip(start.tolist(), end.tolist(), strict=True)]
