"""Thresholds and stop words by language, because Gopher's and FineWeb's rules were tuned on English and fail elsewhere.

`filters/languages/languages.json` holds the 18 languages of Falcon-H1 with a source for every value: FineWeb-2's numbers
(Penedo et al. 2025, arXiv:2506.20920) where our words are like its words, and numbers fitted again where they are not. In
Chinese and Japanese each character is a word here: at FineWeb-2's own thresholds its repetition rule of 5-grams would drop
15 % of 2,340 Japanese documents, where FineWeb-2 drops 4 %. The trade: a list to maintain, against a model of each language.
`fit` computes thresholds from a user's documents; `read` reads them from a file.
"""

# Tested in tests/filters/languages/test_languages.py.

from __future__ import annotations

import copy
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydantic import Field, model_validator

from eyas.corpus.options import Options
from eyas.errors import InputError
from eyas.filters.languages.thresholds import Thresholds, check, read

__all__ = ["LanguageEntry", "Source", "Thresholds", "Value", "load", "overrides", "read", "sources", "thresholds_of"]


class Source(Options):
    """Where a value comes from."""

    project: str
    """Paper or project, with its number or address."""
    file: str
    """The file, table or section in it."""
    version: str
    """Commit, release or date."""
    licence: str
    """The licence of that file."""
    derivation: str
    """How the value was derived."""


class Value(Options):
    """A threshold or a list, and the key of its source."""

    value: Any
    source: str


class LanguageEntry(Options):
    """One language. `stages`: value and source by stage and option."""

    name: str = Field(min_length=1)
    """The language's English name."""
    script: str = Field(min_length=1)
    """The script's English name."""
    label: str = Field(pattern=r"^[a-z]{3}_[A-Z][a-z]{3}$")
    """Its label in GlotLID and FineWeb-2: ISO 639-3 and ISO 15924."""
    stages: dict[str, dict[str, Value]]

    @property
    def stop_words(self) -> tuple[str, ...]:
        """The language's stop words, each a word of `eyas.text_kernels.words.words`."""
        return tuple(self.stages["gopher_quality"]["stop_words"].value)

    def options(self, stage: str) -> dict[str, Any]:
        """The options of a stage that differ by language, without their sources; {} for any other stage."""
        return {option: copy.deepcopy(entry.value) for option, entry in self.stages.get(stage, {}).items()}

    @model_validator(mode="after")
    def _known_options(self) -> LanguageEntry:
        problems = [f"{stage}{problem}" for stage in self.stages for problem in check(stage, self.options(stage))]
        if problems:
            raise InputError("; ".join(problems))
        return self


class _File(Options):
    sources: dict[str, Source]
    languages: dict[str, LanguageEntry]

    @model_validator(mode="after")
    def _known_sources(self) -> _File:
        used = {v.source for e in self.languages.values() for options in e.stages.values() for v in options.values()}
        if used - set(self.sources):
            raise InputError(f"sources that are not listed: {', '.join(sorted(used - set(self.sources)))}")
        return self


@lru_cache(maxsize=1)
def _file() -> _File:
    return _File.model_validate(json.loads(files(__package__).joinpath("languages.json").read_text(encoding="utf-8")))


def load() -> dict[str, LanguageEntry]:
    """The built-in languages by ISO 639-1 code, which is also their label in lid.176."""
    return dict(_file().languages)


def sources() -> dict[str, Source]:
    """The sources of the built-in values by their keys."""
    return dict(_file().sources)


def overrides(stage: str, lang: str) -> dict[str, Any]:
    """The options of `stage` for a language, by ISO 639-1 code or GlotLID label; {} when either is unknown."""
    languages = _file().languages
    entry = languages.get(lang) or next((entry for entry in languages.values() if entry.label == lang), None)
    return {} if entry is None else entry.options(stage)


def thresholds_of(stage: str, by_language: bool | str) -> dict[str, dict[str, Any]]:
    """The options of a stage by language: built-in ones for true, those of a user's file for its path."""
    if isinstance(by_language, str):
        return {language: stages[stage] for language, stages in read(by_language).items() if stage in stages}
    return {language: options for language in load() if (options := overrides(stage, language))}
