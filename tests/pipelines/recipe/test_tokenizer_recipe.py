"""The recipe that `eyas tokenizer train` makes: names, sources, options as they are typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.pipelines.recipe.recipe import load
from eyas.pipelines.recipe.tokenizer_recipe import checked, copy_products, recipe_text, run_name


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_folder_gives_a_name_that_a_run_may_have(out: str) -> None:
    assert re.fullmatch(r"tokenizer-[A-Za-z0-9_.-]+-[0-9a-f]{6}", run_name(out))


def test_two_folders_of_one_name_have_runs_of_their_own(tmp_path: Path) -> None:
    names = {run_name(f"{tmp_path}/{folder}/out") for folder in "abc"} | {run_name("s3://bucket/out")}
    assert len(names) == 4 and all(name.startswith("tokenizer-out-") for name in names)
    assert run_name(f"{tmp_path}/a/out/") == run_name(f"{tmp_path}/a/out")


def test_the_recipe_is_one_that_runs(tmp_path: Path) -> None:
    for folder in ("one/data", "two/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "日本.txt").write_text("b")
    paths = [str(tmp_path / path) for path in ("one/data", "two/data", "日本.txt")]
    text = recipe_text(paths, "tokenizer-x", 7, {"vocab_sizes": [300]})
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    recipe = load(str(tmp_path / "r.yaml"))
    assert [(entry.name, entry.format, entry.source.path) for entry in recipe.options.sources] == [
        ("data", "jsonl", paths[0]),
        ("data-2", "jsonl", paths[1]),
        ("text", "files", paths[2]),
    ]
    assert recipe.options.seed == 7 and recipe.options.tokenizer is not None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"vocab_sizes": [3]}, "--vocab-size: "),
        ({"vocab_sizes": [300], "min_count": 0}, "--min-count: "),
        ({"vocab_sizes": [300], "weights": {"source": {"a": -1}}}, "--count-as: "),
    ],
)
def test_a_wrong_option_is_named_as_it_is_typed(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as raised:
        checked(options)
    assert str(raised.value).startswith(message)


def test_products_are_copied_for_every_size(tmp_path: Path) -> None:
    run = Store(str(tmp_path / "run"))
    for folder in ("tokenizer", "tokenizer/300", "tokenizer/400"):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            run.write_json(f"{folder}/{name}", folder)
    assert len(copy_products(run, [300, 400, 300], str(tmp_path / "out"))) == 6
    assert Store(str(tmp_path / "out")).read_json("400/tokenizer.json") == "tokenizer/400"
    assert len(copy_products(run, [300], str(tmp_path / "single"))) == 2
