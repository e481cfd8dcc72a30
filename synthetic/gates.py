"""Quality gates: scores each rewrite against its source and refuses it with a reason.

Scores are computed while source and answer are at hand, decisions are made later, so the ledger has the score and threshold
of each gate. A prompt states its gates; a recipe may move or switch off any (`gates: {numbers_kept: 0.6, novelty: null}`).
The trade: heuristics refuse some good rewrites and pass some bad ones. They cost 3 ms a document; a judging model costs as
much as the rewrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from eyas.corpus.options import Options
from eyas.corpus.verdict import Rule
from eyas.errors import InputError
from eyas.synthetic import gate_chatter, gate_facts, gate_syntax

Share = float | None
Scores = Mapping[str, npt.NDArray[np.float64]]


class Gates(Options):
    """Thresholds of the gates. null turns a gate off."""

    min_characters: int = Field(default=40, ge=0)
    """A shorter answer is refused as `too_short`."""
    refusal: bool = True
    """An answer that refuses the task is refused as `refusal`."""
    prompt_leak: bool = True
    """An answer that repeats the prompt is refused as `prompt_leak`."""
    language: Share = Field(default=None, ge=0, le=1)
    """Least probability (fastText) that the answer is in its source's language, or in a translation's target language."""
    length_ratio: tuple[float, float] | None = None
    """Least and most characters of an answer, relative to its source's."""
    numbers_kept: Share = Field(default=None, ge=0, le=1)
    """Least share of the source's numbers that the answer must have."""
    numbers_invented: Share = Field(default=None, ge=0, le=1)
    """Largest share of the answer's numbers that may be missing from the source."""
    names_kept: Share = Field(default=None, ge=0, le=1)
    """Least share of the source's names (runs of capitalised words) that the answer must have."""
    novelty: tuple[float, float] | None = None
    """Least and largest share of the answer's runs of three words that are not in the source: a copy has few, an
    invention many."""
    repetition: Share = Field(default=None, ge=0, le=1)
    """Largest share of the answer's runs of three words that repeat an earlier one. A source that repeats itself as much
    excuses its answer."""
    code_parses: bool = False
    """If the source parses (Python) or has its brackets closed (any other language), so must the answer."""
    latex_balanced: bool = False
    """If the source has its braces, $ and environments closed, so must the answer."""

    @field_validator("length_ratio", "novelty")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] <= value[1]:
            raise InputError(f"expected [least, most] with 0 <= least <= most, got {list(value)}")
        return value

    def but(self, overrides: Mapping[str, Any]) -> Gates:
        """These gates with other thresholds for some; ValueError names an unknown gate."""
        return Gates(**{**self.model_dump(), **overrides})


MEASURES = (
    "unfinished", "characters", "refusal", "prompt_leak", "language", "length_ratio", "numbers_kept", "numbers_invented",
    "names_kept", "novelty", "repetition", "code_broken", "latex_broken",
)  # fmt: skip
"""Names of an answer's scores, in the order in which its gates are applied."""


def measure(
    gates: Gates,
    source: str,
    answer: str,
    *,
    prompt: str,
    origin: str = "",
    language: str | None = None,
    unfinished: bool = False,
) -> dict[str, float]:
    """The scores of one answer; NaN where a gate is off or does not apply. `prompt` is the prompt's own wording."""
    scores = dict.fromkeys(MEASURES, gate_facts.NO_SCORE)
    scores["unfinished"] = float(unfinished)
    scores["characters"] = len(answer)
    if gates.refusal:
        scores["refusal"] = float(gate_chatter.refuses(source, answer))
    if gates.prompt_leak:
        scores["prompt_leak"] = gate_chatter.leaks(prompt, source, answer)
    if gates.language is not None:
        scores["language"] = gate_chatter.language_kept(source, answer, language)
    if gates.length_ratio is not None:
        scores["length_ratio"] = len(answer) / max(len(source), 1)
    for name, rate in (
        ("numbers_kept", gate_facts.numbers_kept),
        ("numbers_invented", gate_facts.numbers_invented),
        ("names_kept", gate_facts.names_kept),
        ("novelty", gate_facts.novelty),
    ):
        if getattr(gates, name) is not None:
            scores[name] = rate(source, answer)
    if gates.repetition is not None:
        repetition = gate_facts.repetition(answer)
        scores["repetition"] = gate_facts.NO_SCORE if repetition <= gate_facts.repetition(source) else repetition
    if gates.code_parses:
        scores["code_broken"] = float(gate_syntax.code_broken(source, answer, origin))
    if gates.latex_balanced:
        scores["latex_broken"] = float(gate_syntax.latex_broken(source, answer))
    return scores


def rules(gates: Gates, scores: Scores) -> list[Rule]:
    """The rules in the order in which they are applied. A NaN passes every rule."""
    low_length, high_length = gates.length_ratio or (None, None)
    copied, invented = gates.novelty or (None, None)
    bounds = [
        Rule.bound("unfinished", scores["unfinished"], most=0),
        Rule.bound("too_short", scores["characters"], least=gates.min_characters),
        Rule.bound("refusal", scores["refusal"], most=0),
        Rule.bound("prompt_leak", scores["prompt_leak"], most=0),
        Rule.bound("language_changed", scores["language"], least=gates.language),
        Rule.bound("shortened", scores["length_ratio"], least=low_length),
        Rule.bound("bloated", scores["length_ratio"], most=high_length),
        Rule.bound("numbers_lost", scores["numbers_kept"], least=gates.numbers_kept),
        Rule.bound("numbers_invented", scores["numbers_invented"], most=gates.numbers_invented),
        Rule.bound("names_lost", scores["names_kept"], least=gates.names_kept),
        Rule.bound("copied", scores["novelty"], least=copied),
        Rule.bound("invented", scores["novelty"], most=invented),
        Rule.bound("repetitive", scores["repetition"], most=gates.repetition),
        Rule.bound("code_broken", scores["code_broken"], most=0),
        Rule.bound("latex_unbalanced", scores["latex_broken"], most=0),
    ]
    return [rule for rule in bounds if rule is not None]
