"""What a rewrite must keep of its source: numbers and names; and how much of its wording is its own.

Heuristics that need no model. A number is a run of digits whatever separates its groups (1,234.5 and 1.234,5 are
the same); small ones may be spelled out in English. A name is a run of capitalised words that does not only begin a sentence;
it counts as kept if its last word is there, because "Marie Curie" may go on as "Curie". Scripts without capitals have no
names to lose here. 1 ms for 2,000 characters.
"""

from __future__ import annotations

import math
import re
import unicodedata

NOT_ASKED = math.nan
"""The score of a gate that has nothing to say of a text: it passes."""
ACRONYM = 6
"""Longer words in capitals are headings, not names."""
_NUMBER = re.compile(r"\d+(?:[.,'’\u00a0\u202f]\d+)*")
_SEPARATORS = re.compile(r"[.,'’\u00a0\u202f]")
_WORD = re.compile(r"\w[\w'’-]*")
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty"""
_SPELLED = {word: str(number) for number, word in enumerate(_SMALL.split())}


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return [word.casefold() for word in _WORD.findall(text)]


def numbers(text: str) -> set[str]:
    """The numbers of a text, as bare digits."""
    found = (_SEPARATORS.sub("", number) for number in _NUMBER.findall(text))
    return {"".join(str(unicodedata.digit(digit)) for digit in number) for number in found}


def numbers_kept(source: str, answer: str) -> float:
    """The share of the source's different numbers that the answer has, as digits or spelled out."""
    wanted = numbers(source)
    if not wanted:
        return NOT_ASKED
    there = numbers(answer) | {_SPELLED[word] for word in words(answer) if word in _SPELLED}
    return len(wanted & there) / len(wanted)


def numbers_invented(source: str, answer: str) -> float:
    """The share of the answer's different numbers that the source does not have."""
    said = numbers(answer)
    if not said:
        return NOT_ASKED
    known = numbers(source) | {_SPELLED[word] for word in words(source) if word in _SPELLED}
    return len(said - known) / len(said)


def names(text: str) -> set[str]:
    """Runs of capitalised words, folded; single ones only where they also stand within a sentence."""
    found: set[str] = set()
    run: list[str] = []
    opening = False
    end = 0
    for match in _WORD.finditer(text):
        word, between = match.group(), text[end : match.start()]
        begins = end == 0 or any(mark in between for mark in '.!?:;\n"“”«»•*#|')
        capital = word[0].isupper() and len(word) > 1 and not (word.isupper() and len(word) > ACRONYM)
        if run and (begins or not capital or between.strip()):
            _add(found, run, opening)
            run = []
        if capital:
            opening = opening if run else begins
            run.append(word)
        end = match.end()
    _add(found, run, opening)
    return found


def _add(found: set[str], run: list[str], opening: bool) -> None:
    if run and (not opening or len(run) > 1):
        found.add(" ".join(run).casefold())


def names_kept(source: str, answer: str) -> float:
    """The share of the source's names whose last word the answer has."""
    wanted = names(source)
    if not wanted:
        return NOT_ASKED
    there = {_bare(word) for word in words(answer)}
    return sum(_bare(name.split()[-1]) in there for name in wanted) / len(wanted)


def _bare(word: str) -> str:
    """Without the English genitive."""
    return re.sub(r"['’]s?$", "", word)


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    """The runs of `n` words."""
    found = words(text)
    return set(zip(*(found[i:] for i in range(n)), strict=False))


def repetition(answer: str, n: int = 3) -> float:
    """The share of the answer's runs of `n` words that it said before: a model that goes round in circles comes near 1."""
    found = words(answer)
    runs = max(len(found) - n + 1, 0)
    return 1 - len(grams(answer, n)) / runs if runs else NOT_ASKED


def novelty(source: str, answer: str, n: int = 3) -> float:
    """The share of the answer's runs of `n` words that the source does not have: 0 is a copy, 1 has nothing in common."""
    said = grams(answer, n)
    return len(said - grams(source, n)) / len(said) if said else NOT_ASKED
