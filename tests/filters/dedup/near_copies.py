"""Texts whose similarity is known: random words, edited; and shingle sets in plain Python."""

from __future__ import annotations

import random

VOCABULARY = [f"w{i}" for i in range(5000)]

Shingles = set[tuple[str, ...]]


def shingle_set(text: str, n: int = 5) -> Shingles:
    """Shingles of texts that are words between spaces."""
    found = text.lower().split()
    return {tuple(found[i : i + n]) for i in range(max(len(found) - n + 1, 1))} if found else set()


def jaccard(a: Shingles, b: Shingles) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def random_text(chance: random.Random, length: int) -> list[str]:
    return [chance.choice(VOCABULARY) for _ in range(length)]


def edited(chance: random.Random, text: list[str], edits: int) -> list[str]:
    """The same words, `edits` of them replaced."""
    text = list(text)
    for at in chance.sample(range(len(text)), edits):
        text[at] = chance.choice(VOCABULARY)
    return text


def of_similarity(chance: random.Random, wanted: float, shingles: int) -> tuple[str, str]:
    """Two texts of `shingles` shingles each that share a beginning: Jaccard similarity is `wanted`, but for rounding."""
    common = round(2 * shingles * wanted / (1 + wanted))
    start = random_text(chance, common + 4)
    texts = [" ".join([*start, *random_text(chance, shingles - common)]) for _ in range(2)]
    return texts[0], texts[1]
