"""`eyas prompts`, `eyas.pipelines.cli.prompts`: the list, one prompt whole, and both as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness import Ran

Eyas = Callable[..., Ran]


def test_prompts_are_listed_and_shown_whole(eyas: Eyas) -> None:
    listed = json.loads(eyas("prompts", "--json").out)
    lines = eyas("prompts").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [entry["name"] for entry in listed]
    shown = eyas("prompts", listed[0]["name"]).out
    described = json.loads(eyas("prompts", listed[0]["name"], "--json").out)
    for file, text in described["files"].items():
        assert f"\n{file}\n{text}\n" in shown


def test_an_unknown_prompt_is_an_error_in_words(eyas: Eyas) -> None:
    ran = eyas("prompts", "no_such_prompt")
    assert ran.code in (2, 3) and "no_such_prompt" in ran.err
