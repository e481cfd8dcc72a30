"""YAML with positions: lines of values, variables, and messages that name the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyas.pipelines.recipe.yaml_file import RecipeError, YamlFile

TEXT = """name: x
numbers: [1, 2.5, 1e-3, on, null, "3"]
sources:
  - name: a
    files: {path: "${root}/in"}
  - name: "ü日\\u202e"
"""


def file(text: str, tmp_path: Path) -> YamlFile:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return YamlFile(str(path))


def test_values_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    read = file(TEXT, tmp_path)
    assert read.data["numbers"] == [1, 2.5, 0.001, "on", None, "3"]
    assert [type(value) for value in read.data["numbers"]] == [int, float, float, str, type(None), str]
    assert read.data["sources"][1]["name"] == "ü日\u202e" and read.text == TEXT


@pytest.mark.parametrize(
    "location, line",
    [
        ((), 1), (("name",), 1), (("numbers", 3), 2), (("sources", 1, "name"), 6), (("sources", 0, "files", "path"), 5),
        (("sources", 0, "no_such_key"), 4), (("sources", 7), 3), (("nowhere",), 1), (("name", "deeper"), 1),
    ],
)  # fmt: skip
def test_every_place_has_a_line(tmp_path: Path, location: tuple[str | int, ...], line: int) -> None:
    assert file(TEXT, tmp_path).line(location) == line


def test_a_problem_names_file_line_and_place(tmp_path: Path) -> None:
    read = file(TEXT, tmp_path)
    assert read.problem(("sources", 1, "name"), "is odd") == f"{read.path}:6: sources[1].name: is odd"
    assert read.problem((), "is empty") == f"{read.path}:1: is empty"


def test_variables_are_replaced_and_unknown_ones_named(tmp_path: Path) -> None:
    read = file(TEXT, tmp_path)
    assert read.substitute({"root": "/data/${root}"}) == []
    assert read.data["sources"][0]["files"]["path"] == "/data/${root}/in"  # replaced once, not again
    (problem,) = file(TEXT, tmp_path).substitute({"rot": "x"})
    assert problem.endswith(
        "r.yaml:5: sources[0].files.path: unknown variable ${root}; did you mean 'rot'?; "
        "set it under `variables:` or by --var"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: 1\na: 2\n", r":2: found duplicate key"),
        ("a: [1\n", ":"),
        ("- 1\n", ":1: expected keys such as `name:` and `sources:`, found a list"),
        ("", ":1: expected keys such as `name:` and `sources:`, found nothing"),
        ("just words", "found the text 'just words'"),
        ("a: {path: ${root}/x}\n", r"a variable must be quoted"),
        ("a: \x07\n", ":"),
    ],
)
def test_what_is_no_recipe_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as raised:
        file(text, tmp_path)
    assert all(problem.startswith(f"{tmp_path}/r.yaml:") for problem in raised.value.problems)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such file"):
        YamlFile(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "latin.yaml").write_bytes("name: ü".encode("latin-1"))
    with pytest.raises(RecipeError, match="cannot be read"):
        YamlFile(str(tmp_path / "latin.yaml"))


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"], exclude_characters="\ufeff")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex("[a-z]{1,4}", fullmatch=True), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex("[a-z]{1,4}", fullmatch=True), JSON, min_size=1))
def test_json_is_read_as_the_yaml_that_it_is(tmp_path: Path, data: dict[str, Any]) -> None:
    # Not what ruamel writes: its flow style leaves `?0` without quotes, which is a key.
    path = tmp_path / "r.yaml"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    assert YamlFile(str(path)).data == data
