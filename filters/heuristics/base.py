"""The base of heuristic filters: rules on shared statistics, with thresholds that may depend on the language."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationInfo

from eyas.corpus import Filter, Rule, StageUnavailable, Verdict
from eyas.corpus.paths import RecipePath
from eyas.errors import InputError
from eyas.filters.heuristics.statistics import Statistics, TextMeasure
from eyas.filters.languages import thresholds_of


class Heuristic(Filter):
    """A filter whose rules are bounds on scores that `Statistics` give."""

    scores_all: ClassVar[bool] = True
    name: ClassVar[str]
    """The stage's name in recipes, and in files of thresholds."""

    by_language: bool | RecipePath = Field(default=False)
    """Thresholds and stop words for each document's language (the column `lang`, which the stage `language` adds): true
    for those of the 18 languages that Eyas knows, or the path of a file of your own (`eyas fit` writes one). Options in
    the recipe take precedence."""

    @abstractmethod
    def wanted(self) -> TextMeasure:
        """The statistics that this filter needs with its options."""

    @abstractmethod
    def rules_of(self, counts: Statistics) -> Iterable[Rule | None]:
        """The rules in the order in which they are checked; None for a rule that is off."""

    def columns_needed(self) -> tuple[str, ...]:
        return (*self.requires, "lang") if self.by_language else self.requires

    def fingerprint(self) -> Any:
        return self._thresholds() if self.by_language else None

    def measure(self) -> TextMeasure:
        """The statistics that the filter and its variants by language need."""
        base = self.wanted()
        lists = dict(base.stop_words or ())
        for language, variant in self.variants.items():
            wanted = variant.wanted()
            joined = base.joined(TextMeasure(None, None, wanted.short_line, wanted.top, wanted.repeated))
            if joined is None:
                raise InputError(f"{type(self).__name__}: a short line must have the same length in all languages")
            base = joined
            if lists:
                lists[language] = dict(wanted.stop_words or ())[""]
        return TextMeasure(tuple(lists.items()) or None, base.terminals, base.short_line, base.top, base.repeated)

    def rules(self, docs: pa.Table) -> list[Rule]:
        """The rules that are on, with their scores for each document."""
        counts = self.measure().of(docs)
        if not self.variants:
            return [rule for rule in self.rules_of(counts) if rule is not None]
        if "lang" not in docs.column_names:
            raise StageUnavailable(
                f"{type(self).__name__}: by_language needs the column `lang`: put the stage `language` before it, or "
                "carry the column from the source"
            )
        languages = np.array(docs.column("lang").to_pylist(), np.object_)
        known = np.isin(languages, list(self.variants))
        groups = [(np.flatnonzero(~known), self)]
        groups += [(np.flatnonzero(languages == name), variant) for name, variant in self.variants.items()]
        return _scatter([(rows, variant.rules_of(counts.take(rows))) for rows, variant in groups], len(counts))

    def judge(self, docs: pa.Table) -> Verdict:
        """The first rule that a document fails gives reason, score and threshold."""
        return Verdict.first_failure(self.rules(docs), docs.num_rows)

    @cached_property
    def variants(self) -> Mapping[str, Self]:
        """This filter with the thresholds of each language that has any."""
        if self.by_language is False:
            return {}
        in_recipe = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            language: type(self)(**{**options, **in_recipe, "by_language": False})
            for language, options in self._thresholds().items()
        }

    def _thresholds(self) -> dict[str, dict[str, Any]]:
        """Options of this stage by language."""
        return thresholds_of(self.name, self.by_language)


def above_zero(value: float | None, info: ValidationInfo) -> float | None:
    """Checks an option for which datatrove takes 0 for "off": null or a number above 0, or else ValueError."""
    if value is not None and not value > 0:
        raise InputError(
            f"{info.field_name} must be above 0, got {value}: datatrove takes 0 for 'off', a reader for 'none'. "
            "Write null to turn the rule off, or a number as small as you like"
        )
    return value


def _scatter(groups: list[tuple[Any, Iterable[Rule | None]]], rows: int) -> list[Rule]:
    """The rules of groups of rows as rules on all rows: if a group has no such rule, none of its rows fails it."""
    merged: dict[str, Rule] = {}
    order: list[str] = []
    for numbers, rules in groups:
        for rule in rules:
            if rule is None:
                continue
            if rule.reason not in merged:
                empty = np.zeros(rows, np.bool_), np.full(rows, np.nan), np.full(rows, np.nan)
                merged[rule.reason] = Rule(rule.reason, *empty, rule.option, rule.at_most)
                order.append(rule.reason)
            whole = merged[rule.reason]
            assert isinstance(whole.threshold, np.ndarray)
            whole.fails[numbers], whole.score[numbers] = rule.fails, rule.score
            whole.threshold[numbers] = rule.threshold
    return [merged[reason] for reason in order]
