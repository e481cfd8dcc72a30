"""The fuzzer's targets on what they begin with, on some changes of it, and on what was found once and mended."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.fuzz import targets


def seeds(name: str) -> list[bytes]:
    return list(targets.TARGETS[name].seeds())


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_and_their_changes_end_in_results_or_words(name: str) -> None:
    target = targets.TARGETS[name]
    for number, seed in enumerate(seeds(name)):
        target.run(seed)
        rng = random.Random(number)
        for _ in range(5):
            changed = target.mutate(seed, rng) or bytes(rng.choice(seed) for _ in range(60))
            targets.run(name, changed)


def edited(name: str, number: int, change: Callable[[Any], Any], head: int = 0) -> bytes:
    seed = seeds(name)[number]
    data = json.loads(seed[head:])
    change(data)
    return seed[:head] + json.dumps(data).encode()


def _without_comma(data: Any) -> None:
    """No token for the comma, and a name for unknown tokens that is none."""
    del data["model"]["vocab"][","]
    data["model"]["unk_token"] = "nowhere"


FOUND: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a template that is not UTF-8": ("prompt", lambda: b"{{ text }} \xe3\0Be brief."),
    "a template that divides by zero": ("prompt", lambda: b"{{ 1 / 0 }}\0Be brief."),
    "a card that is not UTF-8": ("prompt", lambda: b"{{ text }}\0Be brief.\0version: \xff"),
    "a panic of tokenizers": (
        "tokenizer",
        lambda: edited("tokenizer", 0, lambda data: data["model"].update(continuing_subword_prefix="x" * 15)),
    ),
    "an id of two billion": (
        "tokenizer",
        lambda: edited("tokenizer", 1, lambda data: data["model"]["vocab"].update(a=1 << 31)),
    ),
    "half of a character in a recipe": (
        "recipe",
        lambda: b'name: x\nsources: []\nstages: [{route: {only: "\\ud800", stages: []}}]\n',
    ),
    "a map as a key": ("recipe", lambda: b"{name: x, {a: b}: {&anchor c: d}, sources: []}\n"),
    "numbers as names of sources": (
        "recipe",
        lambda: (
            b"name: x\nsources: [{name: 5, files: {path: .}}]\n"
            b"stages: [{code_quality: {only: {source: 7}}}]\nalarms: {source: {9: 1}}\n"
        ),
    ),
    "a month 13": ("recipe", lambda: b"name: 2026-13-45\nsources: []\n"),
    "a rank of thirty digits": ("tokenizer", lambda: seeds("tokenizer")[2] + b"YWJj " + b"9" * 30 + b"\n"),
    "an unknown token": ("tokenizer", lambda: edited("tokenizer", 1, _without_comma)),
    "rows as text": ("shards", lambda: edited("shards", 1, lambda data: data["files"][0].update(rows="4"), 1)),
    "a name without end": (
        "shards",
        lambda: edited("shards", 1, lambda data: data["files"][0].update(path="x" * 999), 1),
    ),
    "a surrogate": ("shards", lambda: edited("shards", 1, lambda data: data["files"][0].update(path="\ud800"), 1)),
    "a null": ("shards", lambda: edited("shards", 1, lambda data: data["files"][0].update(path="a\0b"), 1)),
    "a path elsewhere": (
        "shards",
        lambda: edited("shards", 1, lambda data: data["files"][0].update(path="../shard.arrow"), 1),
    ),
    "metadata that is not JSON": ("shards", lambda: seeds("shards")[2].replace(b'{"bos"', b'["bos"')),
}


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_is_mended(found: str) -> None:
    name, data = FOUND[found]
    with pytest.raises(targets.EyasError):
        targets.TARGETS[name].run(data())


def test_dropout_does_not_make_ids_random() -> None:
    """The fuzzer found it: `model.dropout` of a tokenizer.json gave other ids at each call."""
    for number in (0, 1):
        targets.TARGETS["tokenizer"].run(edited("tokenizer", number, lambda data: data["model"].update(dropout=0.5)))
