"""Jaccard similarity of two texts in plain Python, to audit what kernels, hashes and shuffles have decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.filters.dedup.audit import Auditor, Pair, normalised_words
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.unicode.classes import CLASS_LETTER, CLASS_NUMBER

if TYPE_CHECKING:
    from eyas.filters.dedup.minhash import MinhashDedup


class JaccardAuditor(Auditor):
    """Compares sets of word tuples."""

    def __init__(self, stage: MinhashDedup) -> None:
        self.stage = stage

    def right(self, pair: Pair) -> tuple[bool, float]:
        left, right = (self.shingles(document["text"], document["source"]) for document in (pair.kept, pair.dropped))
        value = len(left & right) / max(len(left | right), 1)
        return value >= self.stage.verify_jaccard, value

    def shingles(self, text: str, source: str) -> set[tuple[str, ...]]:
        """The distinct runs of `shingle_words` normalised words; all words as one, if there are fewer."""
        case, digits, punctuation = self.stage.folding(source)
        found = normalised_words(text, case, digits)
        if punctuation:
            classes = unicode_classes.classes()
            counted = (CLASS_LETTER, CLASS_NUMBER)
            found = [word for word in found if any(classes[ord(character)] in counted for character in word)]
        n = min(self.stage.shingle_words, len(found))
        return set(zip(*(found[i:] for i in range(n)), strict=False))
