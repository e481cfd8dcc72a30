"""Computes the Jaccard similarity of two texts in plain Python, to audit what kernels, hashes and shuffles decided."""

from __future__ import annotations

from collections.abc import Callable

from eyas.filters.dedup.audit import Auditor, Pair, normalised_words
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.unicode.classes import CLASS_LETTER, CLASS_NUMBER


class JaccardAuditor(Auditor):
    """Compares sets of word tuples."""

    def __init__(
        self, least_jaccard: float, shingle_words: int, folding: Callable[[str], tuple[bool, bool, bool]]
    ) -> None:
        """`least_jaccard`: similarity from which a removal is right. `folding`: for the name of a source, whether case and
        digits are folded and punctuation is skipped."""
        self._least_jaccard, self._shingle_words, self._folding = least_jaccard, shingle_words, folding

    def right(self, pair: Pair) -> tuple[bool, float]:
        left, right = (self.shingles(document["text"], document["source"]) for document in (pair.kept, pair.dropped))
        value = len(left & right) / max(len(left | right), 1)
        return value >= self._least_jaccard, value

    def shingles(self, text: str, source: str) -> set[tuple[str, ...]]:
        """The distinct runs of `shingle_words` normalised words; if there are fewer words, all of them as one shingle."""
        case, digits, punctuation = self._folding(source)
        words = normalised_words(text, case, digits)
        if punctuation:
            classes = unicode_classes.classes()
            counted = (CLASS_LETTER, CLASS_NUMBER)
            words = [word for word in words if any(classes[ord(character)] in counted for character in word)]
        n = min(self._shingle_words, len(words))
        return set(zip(*(words[i:] for i in range(n)), strict=False))
