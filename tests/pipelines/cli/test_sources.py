"""`eyas sources`, `eyas.pipelines.cli.sources`: the formats that a recipe can read."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness import Ran

Eyas = Callable[..., Ran]


def test_the_formats_are_listed_and_each_has_its_options(eyas: Eyas) -> None:
    listed = json.loads(eyas("sources", "--json").out)
    names = [entry["name"] for entry in listed]
    assert {"arrow", "files", "jsonl", "parquet"} <= set(names)
    lines = eyas("sources").out.splitlines()
    assert [line.split()[0] for line in lines] == ["source", *names]
    for name in names:
        options = json.loads(eyas("sources", name, "--json").out)["options"]
        assert "path" in [option["name"] for option in options]
        assert "path" in eyas("sources", name).out


def test_an_unknown_source_names_the_nearest(eyas: Eyas) -> None:
    ran = eyas("sources", "jsonline")
    assert ran.code == 3 and "jsonl" in ran.err
