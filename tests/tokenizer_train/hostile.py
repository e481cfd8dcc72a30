"""Text that breaks tokenizers: odd white space, marks, joiners, emoji, digits of many scripts, LaTeX, control tokens."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from eyas.tokenizer_train.options import SPECIAL_TOKENS

FRAGMENTS = [
    *"aZéßİ中かॠมกำ𝒳𐐀", *"09٣½Ⅷ²०", *"_-'’\"\\{}$^<|>#", *" \n\r\t\v\f\0\x1c\x85\u2028\u3000\ufeff\u200b\u200d\u0301\u0942",
    "  ", "\r\n", "don't", "'LL", " \\frac", "\\infty", "\\in", "\\inftyx", "\\", "\\\\alpha", "{\\alpha_1}", "x\\in\\mathbb",
    "👩\u200d💻", "\U0010ffff", "\ue000", *SPECIAL_TOKENS[:3], " the quick", "3.14",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=20).map("".join)

_CHANCE = random.Random(0)
_SYLLABLES = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ["", "n", "r"]]
TRAINING = [
    "The quick brown fox jumps over the lazy dog. Don't stop at 3.14 or 1,000!",
    "def function(value): return value + 1  # the function returns the value",
    r"Let $x \in \mathbb{R}$ and $\frac{1}{2} \leq \alpha < \infty$; then $\sum_{i=1}^{n} x_i \to \infty$.",
    "Größe und Länge, naïve café, Быстрая лиса, 敏捷的棕色狐狸, तेज भूरी लोमड़ी",
    "the theory of the other thing is that there are then these and those there",
    *(" ".join("".join(_CHANCE.choices(_SYLLABLES, k=2)) for _ in range(20)) for _ in range(60)),
] * 30
