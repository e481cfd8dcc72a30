"""Recipes: every problem at once, each with its line, and what a stage needs must be there before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.errors import InputError
from eyas.pipelines.recipe.recipe import Recipe, load
from eyas.pipelines.recipe.yaml_file import RecipeError

HEAD = 'name: x\nsources: [{name: a, files: {path: "."}}]\n'


def read(text: str, tmp_path: Path, **variables: str) -> Recipe:
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    return load(str(tmp_path / "r.yaml"), variables)


def problems(text: str, tmp_path: Path) -> list[str]:
    """Problems without the file's name."""
    with pytest.raises(RecipeError) as raised:
        read(text, tmp_path)
    return [problem.removeprefix(f"{tmp_path}/r.yaml:") for problem in raised.value.problems]


def test_a_recipe_is_read_with_labels_defaults_and_variables(tmp_path: Path) -> None:
    recipe = read(
        "name: x\nvariables: {root: /own}\nsources:\n  - name: a\n    files: {path: '${root}', glob: ['*.txt']}\n"
        "stages:\n  - gopher_quality: {min_doc_words: 3}\n  - exact_dedup\n  - gopher_quality:\n",
        tmp_path,
        root="/given",
    )
    assert [named.label for named in recipe.stages] == ["gopher_quality", "exact_dedup", "gopher_quality#2"]
    assert recipe.options.sources[0].source.path == "/given" and recipe.options.sources[0].format == "files"
    assert recipe.options.partition_bytes == 64_000_000 and recipe.variables == {"root": "/given"}


def test_all_problems_come_at_once_with_their_lines(tmp_path: Path) -> None:
    found = problems(
        "name: 'no good/name'\nseed: -1\nsources:\n  - name: a\n    files: {path: '.', globb: []}\n"
        "stages:\n  - gopher_qality\n  - gopher_quality: {min_doc_words: many}\n  - 3\ntokenzer: {}\n",
        tmp_path,
    )
    assert [problem.split(":")[0] for problem in sorted(found, key=lambda problem: int(problem.split(":")[0]))] == [
        "1", "2", "5", "7", "8", "9", "10",
    ]  # fmt: skip
    text = "\n".join(found)
    assert "unknown key; did you mean 'glob'?" in text and "unknown key; did you mean 'tokenizer'?" in text
    assert "did you mean 'gopher_quality'?" in text and "found 'many'" in text
    assert "expected one stage: a name, or `name: {options}`" in text


@pytest.mark.parametrize(
    "text, message",
    [
        ("name: x\n", "sources: is required, but missing"),
        ("name: x\nsources: [{name: a}]\n", "a source needs exactly one of files, jsonl, parquet, arrow; found none"),
        (
            "name: x\nsources: [{name: a, files: {path: '.'}, jsonl: {path: '.'}}]\n",
            "exactly one of files, jsonl, parquet, arrow; found files, jsonl",
        ),
        (
            "name: x\nsources: [{name: a, files: {path: '.'}}, {name: a, jsonl: {path: '.'}}]\n",
            "two sources have the same name",
        ),
        (HEAD + "shards: {sequence_length: 64}\n", "`shards` needs a `tokenizer`: add one, such as"),
        (HEAD + "tokenizer: {vocab_sizes: [300]}\ntrain: {steps: 1}\n", "`train` needs `shards`: add them, such as"),
        (HEAD + "stages: gopher_quality\n", "expected a list of stages"),
        (HEAD + "format: 2\n", "format"),
        (HEAD + "plugins: [no_such_plugin_at_all]\n", "plugin 'no_such_plugin_at_all' cannot be imported"),
        (HEAD + "stages:\n  - where: {keep: 'score > 1'}\n", "column score, which no source carries"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, text: str, message: str) -> None:
    assert message in "\n".join(problems(text, tmp_path))


def test_a_later_stage_is_not_blamed_for_a_broken_one(tmp_path: Path) -> None:
    (problem,) = problems(HEAD + "stages:\n  - langage\n  - where: {keep: 'lang_score > 1'}\n", tmp_path)
    assert problem.startswith("4: stages[0]: unknown stage 'langage'")


def test_the_text_of_a_file_that_was_read_already_is_taken(tmp_path: Path) -> None:
    recipe = load(str(tmp_path / "not-there.yaml"), {}, str(tmp_path), HEAD)
    assert recipe.text == HEAD and recipe.folder == str(tmp_path)
    with pytest.raises(InputError):
        load(str(tmp_path / "not-there.yaml"))
