"""How a tokenizer cuts whole numbers: into how many tokens, where, and whether it cuts all numbers of a length alike.

Arithmetic is learned more easily where equal places fall on equal tokens (Singh and Strouse 2024, arXiv:2402.14903:
groups of three from the right against from the left). All numbers of up to three digits are tried, and 1,000 random ones
of each greater length: 6,000 encodings in all, 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from eyas.corpus.sampling import hash_rank
from eyas.tokenizer_train.report.loaded import LoadedTokenizer

LONGEST = 8
DRAWN = 1000
"""Numbers tried of each length from four digits on."""
_BEFORE = "x = "


@dataclass(frozen=True)
class DigitGroups:
    """How the numbers of one length are cut."""

    digits: int
    numbers: int
    """How many were tried."""
    tokens: float
    """Tokens per number, on average."""
    least: int
    most: int
    cut: tuple[int, ...]
    """The most frequent cut, as digits per token: 1234 as 1|234 is (1, 3)."""
    share: float
    """Share of the numbers that are cut like that; 1 if all are."""
    same_in_text: float
    """Share of the numbers that are cut in the same places after `x = `."""

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {**asdict(self), "cut": list(self.cut)}


def digit_groups(loaded: LoadedTokenizer) -> list[DigitGroups]:
    """One entry for each length from 1 to 8 digits. Numbers do not begin with 0."""
    groups = []
    for digits in range(1, LONGEST + 1):
        numbers = _numbers(digits)
        bare = [_cut_of(loaded, ids, number, 0) for ids, number in zip(loaded.ids(numbers), numbers, strict=True)]
        texts = [_BEFORE + number for number in numbers]
        inside = [_cut_of(loaded, ids, text, len(_BEFORE)) for ids, text in zip(loaded.ids(texts), texts, strict=True)]
        cut, count = Counter(bare).most_common(1)[0]
        sizes = [len(pieces) for pieces in bare]
        same = sum(a == b for a, b in zip(bare, inside, strict=True))
        total = len(numbers)
        figures = (sum(sizes) / total, min(sizes), max(sizes))
        groups.append(DigitGroups(digits, total, *figures, cut, count / total, same / total))
    return groups


def _numbers(digits: int) -> list[str]:
    low, high = 10 ** (digits - 1) if digits > 1 else 0, 10**digits
    if digits <= 3:
        return [str(number) for number in range(low, high)]
    drawn = hash_rank(np.arange(DRAWN, dtype=np.uint64), digits) % np.uint64(high - low) + np.uint64(low)
    return [str(number) for number in drawn]


def _cut_of(loaded: LoadedTokenizer, ids: Sequence[int], text: str, start: int) -> tuple[int, ...]:
    """Digits per token of the number that begins at byte `start`; empty if the tokens are not the text."""
    pieces = loaded.pieces(ids)
    joined = b"".join(pieces)
    lead = len(joined) - len(text)
    if joined[lead:] != text.encode() or lead > int(loaded.adds_space):
        return ()
    ends = [end - lead for end in accumulate(map(len, pieces))]
    places = [start, *(end for end in ends if start < end < len(text)), len(text)]
    return tuple(b - a for a, b in zip(places, places[1:], strict=False) if b > a)


def describe(groups: Sequence[DigitGroups]) -> str:
    """The rule behind the cuts, in words."""
    if any(not group.cut for group in groups):
        return "changes numbers"
    if any(group.share < 1 for group in groups):
        return "depends on the number"
    if all(set(group.cut) == {1} for group in groups):
        return "each digit"
    size = max(group.cut[0] for group in groups)
    fixed = {group.digits: (size,) * (group.digits // size) for group in groups}
    rest = {group.digits: (group.digits % size,) if group.digits % size else () for group in groups}
    if all(group.cut == fixed[group.digits] + rest[group.digits] for group in groups):
        return f"groups of {size} from the left" if size < LONGEST else "whole numbers"
    if all(group.cut == rest[group.digits] + fixed[group.digits] for group in groups):
        return f"groups of {size} from the right"
    return "alike for all numbers of a length"
