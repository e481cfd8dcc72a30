"""What the pages for newcomers show is what happens: the first recipe is valid, and the plugins of the exercises work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from documented import code_blocks as blocks
from harness import Ran

Eyas = Callable[..., Ran]


def test_the_first_recipe_is_what_its_steps_add_up_to(eyas: Eyas, tmp_path: Path) -> None:
    *steps, whole = blocks("first_recipe.md", "yaml")
    assert "".join(steps) == whole
    (tmp_path / "my_corpus.yaml").write_text(whole)
    ran = eyas("plan", tmp_path / "my_corpus.yaml", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    assert "8 of 8 passes will be computed" in ran.out


@pytest.mark.parametrize("steps", range(1, 7))
def test_each_step_of_the_first_recipe_is_a_recipe(eyas: Eyas, tmp_path: Path, steps: int) -> None:
    (tmp_path / "my_corpus.yaml").write_text("".join(blocks("first_recipe.md", "yaml")[:steps]))
    ran = eyas("plan", tmp_path / "my_corpus.yaml", "--runs", tmp_path)
    assert ran.code == 0, ran.err


def test_the_filter_of_the_exercise_runs_and_its_threshold_can_be_moved(
    eyas: Eyas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = blocks("extend/filter.md", "python")[0].replace("my_stages:", "exercise_stages:")
    Path("exercise_stages.py").write_text(code)
    Path("notes").mkdir()
    Path("notes/quiet.txt").write_text("A quiet sentence.")
    Path("notes/loud.txt").write_text("THIS IS SHOUTED")
    recipe = blocks("extend/filter.md", "yaml")[0].replace("[my_stages]", "[exercise_stages]")
    Path("recipe.yaml").write_text(recipe)
    ran = eyas("run", "recipe.yaml", "--workers", "0")
    assert ran.code == 0 and "too_many_capitals 1" in ran.out, ran.err
    assert "+1" in eyas("what-if", "runs/small", "shouting.max_capitals=null").out
    assert "Greatest share of letters" in eyas("stages", "shouting", "--plugin", "exercise_stages").out


def test_the_source_of_the_exercise_reads_csv(eyas: Eyas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = blocks("extend/source.md", "python")[0].replace("my_sources:", "exercise_sources:")
    Path("exercise_sources.py").write_text(code)
    Path("data").mkdir()
    Path("data/a.csv").write_text('text,lang\n"A sentence, with a comma.",en\n,en\n')
    recipe = blocks("extend/source.md", "yaml")[0].replace("[my_sources]", "[exercise_sources]")
    Path("recipe.yaml").write_text(recipe + "stages: []\n")
    ran = eyas("run", "recipe.yaml", "--workers", "0")
    assert ran.code == 0 and "empty 1" in ran.out and "1 documents" in ran.out, ran.err
    assert "delimiter" in eyas("sources", "csv", "--plugin", "exercise_sources").out


def test_the_command_of_the_exercise_lists_the_longest_documents(
    eyas: Eyas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import eyas.pipelines.analysis as package

    analysis, verb, test = blocks("extend/cli_verb.md", "python")
    module = ModuleType("eyas.pipelines.analysis.longest")
    exec(analysis, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(package, "longest", module, raising=False)
    command: dict[str, Any] = {"__name__": "longest_command"}
    exec(verb, command)

    def call(*args: object) -> Ran:
        """The new verb, or any other."""
        if args[0] != "longest":
            return eyas(*args)
        command["longest"](str(args[1]), top=1, as_json=True)
        return Ran(0, *capsys.readouterr())

    shown: dict[str, Any] = {}
    exec(test, shown)
    shown["test_the_longest_document_is_first"](call, tmp_path)


def test_the_pattern_of_the_exercise_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    from eyas.tokenizer_train import patterns
    from eyas.tokenizer_train.pretokenizer import Pretokenizer

    entry = eval("{" + blocks("extend/tokenizer_pattern.md", "python")[0] + "}", vars(patterns))
    (name,) = entry
    monkeypatch.setitem(patterns.PUBLISHED, name, entry[name])
    text = r"\frac{12345}{7}"
    ends, _ = Pretokenizer.of_published(name).cut(pa.array([text], pa.large_string()))
    pieces = [text[start:end] for start, end in pairwise([0, *ends.tolist()])]
    assert pieces == ["\\frac", "{", "123", "45", "}", "{", "7", "}"]
