"""An automaton that finds up to 64 phrases in one walk, whatever their case (Aho and Corasick 1975).

It costs one table look-up per code point, however many phrases there are. Case is ignored as far as it is one-to-one:
`eyas.text_kernels.unicode.classes.lower_case`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.types import I64, U16, U64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes

T = TypeVar("T", bound=np.generic)

MAX_PHRASES: Final = 64


@dataclass(frozen=True, eq=False)
class Automaton:
    """State 0 is the start; from state s, a code point c leads to `next[s * classes + kinds[c]]`."""

    kinds: Bytes
    """uint8[0x110000]: the class of each code point; 0 for one that is in no phrase."""
    next: U16
    endings: U64
    """Per state: a bit for each phrase that ends here."""
    lengths: I64
    """Per phrase: its code points."""


@lru_cache(maxsize=16)
def automaton(phrases: tuple[str, ...]) -> Automaton:
    """The automaton of at most 64 phrases, none of them empty; ValueError otherwise."""
    if len(phrases) > MAX_PHRASES or not all(phrases):
        raise ValueError(f"at most {MAX_PHRASES} phrases, and no empty one; found {len(phrases)}")
    lower = unicode_classes.lower_case()
    spelled = [[int(lower[ord(character)]) for character in phrase] for phrase in phrases]
    letters = sorted({code for phrase in spelled for code in phrase})
    if len(letters) > 254:
        raise ValueError(f"the phrases have {len(letters)} different characters, at most 254 are possible")
    number = {code: position for position, code in enumerate(letters, 1)}
    by_code = np.zeros(unicode_classes.CODE_POINTS, np.uint8)
    by_code[letters] = np.arange(1, len(letters) + 1)
    kinds = by_code[lower]
    kinds.setflags(write=False)
    # A tree of the phrases' beginnings: a dictionary per state, from the class of the next code point to its state.
    trees: list[dict[int, int]] = [{}]
    endings = [0]
    for bit, phrase in enumerate(spelled):
        state = 0
        for code in phrase:
            if number[code] not in trees[state]:
                trees[state][number[code]] = len(trees)
                trees.append({})
                endings.append(0)
            state = trees[state][number[code]]
        endings[state] |= 1 << bit
    table = _complete(trees, endings, len(letters) + 1)
    return Automaton(
        kinds, table, _frozen(np.array(endings, np.uint64)), _frozen(np.array([*map(len, phrases)], np.int64))
    )


def _complete(trees: list[dict[int, int]], endings: list[int], classes: int) -> U16:
    """Every transition, breadth first; a state also ends the phrases that its longest proper suffix ends."""
    table = np.zeros((len(trees), classes), np.uint16)
    suffix = [0] * len(trees)
    waiting = [0]
    for state in waiting:
        for kind in range(1, classes):
            target = trees[state].get(kind)
            fallback = int(table[suffix[state], kind]) if state else 0
            if target is None:
                table[state, kind] = fallback
                continue
            table[state, kind], suffix[target] = target, fallback
            endings[target] |= endings[fallback]
            waiting.append(target)
    return _frozen(table.reshape(-1))


def _frozen(array: npt.NDArray[T]) -> npt.NDArray[T]:
    array.setflags(write=False)
    return array
