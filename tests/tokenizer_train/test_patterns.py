"""The table of published patterns: choices, detection and help come from it, and its expressions are what its rules say."""

from __future__ import annotations

import dataclasses
import re

import pytest

from eyas.tokenizer_train import patterns
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.patterns import (
    CHOICES,
    CHOICES_IN_WORDS,
    PUBLISHED,
    PatternRules,
    Published,
    canonical,
    detect,
    expression_of,
)
from eyas.tokenizer_train.pretokenizer import PRESETS, Pretokenizer


@pytest.mark.parametrize("name", CHOICES)
def test_an_expression_is_recognised_as_its_rules(name: str) -> None:
    found = Pretokenizer.of_pattern(PUBLISHED[name].expression)
    assert found == PRESETS[name]
    assert PUBLISHED[name].rules == PatternRules(**PRESETS[name].model_dump())


def test_the_json_schema_and_the_help_list_the_choices() -> None:
    schema = TokenizerOptions.model_json_schema()["properties"]["pretokenizer"]
    assert schema["anyOf"] == [{"enum": list(CHOICES), "type": "string"}, {"type": "null"}]
    assert list(CHOICES) == re.split(", | or ", CHOICES_IN_WORDS)


@pytest.mark.parametrize(("spelling", "name"), [("gpt2", "gpt-2"), ("llama3", "llama-3"), ("gpt-2", "gpt-2")])
def test_names_are_accepted_with_and_without_hyphens(spelling: str, name: str) -> None:
    assert canonical(spelling) == name
    assert expression_of(spelling) == PUBLISHED[name].expression
    assert TokenizerOptions(pretokenizer=spelling).pretokenizer == name


@pytest.mark.parametrize("name", ["o200k", "claude", ""])
def test_a_pattern_that_cannot_be_trained_with_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} is no pattern .* choose falcon-h1, llama-3"):
        TokenizerOptions(pretokenizer=name)


def test_any_other_text_is_an_expression() -> None:
    assert canonical(r"\s+") is None
    assert expression_of(r"\s+") == r"\s+"


@pytest.mark.parametrize(
    ("ranks", "file", "name"),
    [
        (50_256, "any", "gpt-2"),
        (200_000, "any", "o200k"),
        (128_000, "qwen.tiktoken", "llama-3"),  # the number of ranks decides before the name does
        (7, "Llama-3.1-8B", "llama-3"),
        (7, "Llama_4-Scout", "o200k"),
        (7, "p50k_base.tiktoken", "gpt-2"),
    ],
)
def test_a_rank_file_is_recognised(ranks: int, file: str, name: str) -> None:
    assert detect(ranks, file) is PUBLISHED[name]
    assert detect(7, "mine.tiktoken") is None


def test_one_entry_adds_a_pattern_to_detection_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = PatternRules(split_digits="groups_of_3", split_cjk=True)
    entry = dataclasses.replace(Published(rules), ranks=(12_345,), files=("hawk1",))
    monkeypatch.setitem(patterns.PUBLISHED, "hawk-1", entry)
    assert detect(12_345, "") is entry and detect(1, "Hawk-1.tiktoken") is entry
    assert expression_of("hawk1") == rules.pattern


def test_no_two_entries_share_a_number_of_ranks() -> None:
    ranks = [number for entry in PUBLISHED.values() for number in entry.ranks]
    assert len(set(ranks)) == len(ranks)
    assert all(entry.expression for entry in PUBLISHED.values())
