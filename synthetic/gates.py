"""The conscience: what a rewrite is measured by before it may join the corpus, and the reason it is refused for.

Measures are taken where source and answer are at hand, decisions after, so the ledger has score and threshold of each. A
prompt says which gates apply to it, a recipe may move or switch off any (`gates: {numbers_kept: 0.6, novelty: null}`). The
trade: heuristics refuse some good rewrites and pass some bad ones; they cost 3 ms a document, a judging model costs
what the rewrite did.
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
from eyas.synthetic import gate_chatter as spoken
from eyas.synthetic import gate_facts as facts
from eyas.synthetic import gate_syntax as syntax

Share = float | None
Scores = Mapping[str, npt.NDArray[np.float64]]


class Gates(Options):
    """Thresholds; null turns a gate off."""

    min_characters: int = Field(default=40, ge=0)
    """A shorter answer is refused as `too_short`."""
    refusal: bool = True
    """Answers that refuse the task, as `refusal`."""
    prompt_leak: bool = True
    """Answers that tell the prompt, as `prompt_leak`."""
    language: Share = Field(default=None, ge=0, le=1)
    """Least probability (fastText) that the source's language, or the target of a translation, was kept."""
    length_ratio: tuple[float, float] | None = None
    """Least and most characters of an answer as a share of its source's."""
    numbers_kept: Share = Field(default=None, ge=0, le=1)
    """Least share of the source's numbers that must be there."""
    numbers_invented: Share = Field(default=None, ge=0, le=1)
    """Most of the answer's numbers that the source does not have."""
    names_kept: Share = Field(default=None, ge=0, le=1)
    """Least share of the source's names (runs of capitalised words)."""
    novelty: tuple[float, float] | None = None
    """Least and most of the answer's runs of three words that the source does not have: a copy, an invention."""
    repetition: Share = Field(default=None, ge=0, le=1)
    """Most of the answer's runs of three words that it has said before, unless its source repeats itself as much."""
    code_parses: bool = False
    """The answer must parse (Python), or have its brackets closed (any other language), if its source does."""
    latex_balanced: bool = False
    """Braces, $ and environments must be closed, if its source's are."""

    @field_validator("length_ratio", "novelty")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] <= value[1]:
            raise InputError(f"expected [least, most] with 0 <= least <= most, got {list(value)}")
        return value

    def but(self, overrides: Mapping[str, Any]) -> Gates:
        """These gates with some of them moved; ValueError names an unknown one."""
        return Gates(**{**self.model_dump(), **overrides})


MEASURES = (
    "unfinished", "characters", "refusal", "prompt_leak", "language", "length_ratio", "numbers_kept", "numbers_invented",
    "names_kept", "novelty", "repetition", "code_broken", "latex_broken",
)  # fmt: skip
"""The scores of an answer, in the order in which gates are asked."""


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
    """The scores of one answer; NaN where a gate is off or has nothing to say. `prompt`: its own words, without the text."""
    found = dict.fromkeys(MEASURES, facts.NOT_ASKED)
    found["unfinished"] = float(unfinished)
    found["characters"] = len(answer)
    if gates.refusal:
        found["refusal"] = float(spoken.refuses(source, answer))
    if gates.prompt_leak:
        found["prompt_leak"] = spoken.leaks(prompt, source, answer)
    if gates.language is not None:
        found["language"] = spoken.language_kept(source, answer, language)
    if gates.length_ratio is not None:
        found["length_ratio"] = len(answer) / max(len(source), 1)
    for name, rate in (
        ("numbers_kept", facts.numbers_kept),
        ("numbers_invented", facts.numbers_invented),
        ("names_kept", facts.names_kept),
        ("novelty", facts.novelty),
    ):
        if getattr(gates, name) is not None:
            found[name] = rate(source, answer)
    if gates.repetition is not None:
        mine = facts.repetition(answer)
        found["repetition"] = facts.NOT_ASKED if mine <= facts.repetition(source) else mine
    if gates.code_parses:
        found["code_broken"] = float(syntax.code_broken(source, answer, origin))
    if gates.latex_balanced:
        found["latex_broken"] = float(syntax.latex_broken(source, answer))
    return found


def rules(gates: Gates, scores: Scores) -> list[Rule]:
    """The rules in the order in which they are asked; a NaN fails none."""
    low_length, high_length = gates.length_ratio or (None, None)
    copied, invented = gates.novelty or (None, None)
    found = [
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
    return [rule for rule in found if rule is not None]
