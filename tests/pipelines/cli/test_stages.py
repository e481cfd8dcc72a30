"""`eyas stages`, `eyas.pipelines.cli.stages`: whole lines in a pipe, one stage's options, and both as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness import Ran

Eyas = Callable[..., Ran]


def test_each_stage_is_one_whole_line_in_a_pipe(eyas: Eyas) -> None:
    lines = eyas("stages").out.splitlines()
    listed = json.loads(eyas("stages", "--json").out)
    assert len(lines) == 1 + len(listed) and lines[0].split() == ["stage", "kind", "what", "it", "does"]
    for line, entry in zip(lines[1:], listed, strict=True):
        assert line.split()[0] == entry["name"] and entry["kind"] in line and line.endswith(entry["summary"])


def test_one_stage_with_its_options(eyas: Eyas) -> None:
    page = eyas("stages", "gopher_quality").out
    entry = json.loads(eyas("stages", "gopher_quality", "--json").out)
    assert page.startswith(f"gopher_quality (filter, version {entry['version']}): ")
    for option in entry["options"]:
        line = next(line for line in page.splitlines() if line.startswith(f"{option['name']} "))
        assert line.endswith(" ".join(option["description"].split()))
    assert "required" in eyas("stages", "where").out


def test_an_unknown_stage_names_the_nearest(eyas: Eyas) -> None:
    ran = eyas("stages", "minhash_dedupe")
    assert ran.code == 3 and "did you mean 'minhash_dedup'" in ran.err


def test_a_plugin_that_cannot_be_imported_is_named(eyas: Eyas) -> None:
    ran = eyas("stages", "--plugin", "no_such_plugin")
    assert ran.code == 3 and "no_such_plugin" in ran.err
