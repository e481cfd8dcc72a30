"""Values of shared options, and the sentences for those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.errors import UsageError
from eyas.pipelines.cli import options


def test_variables_and_weights_by_name() -> None:
    assert options.variables(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    assert options.variables(None) == {} == options.weights(None)
    assert options.weights(["web=0.7", "code=3"]) == {"web": 0.7, "code": 3.0}


@pytest.mark.parametrize("given", ["a", "=1"])
def test_a_variable_needs_a_name_and_a_value(given: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        options.variables([given])


@pytest.mark.parametrize(("given", "message"), [("a", "SOURCE=SHARE"), ("a=0", "above 0"), ("a=inf", "above 0")])
def test_a_weight_is_a_share_above_0(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options.weights([given])


def test_a_recipe_is_no_run() -> None:
    assert options.run_folder("runs/x", "fit") == "runs/x"
    with pytest.raises(UsageError, match="`eyas fit` takes the folder of a finished run"):
        options.run_folder("recipe.yaml", "fit")


def test_the_shards_of_a_run_or_a_folder_of_shards(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{}")
    assert options.shards_folder(f"{tmp_path}/") == str(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    assert options.shards_folder(str(tmp_path)) == f"{tmp_path}/shards"


def test_options_of_a_training() -> None:
    training = options.training_options({"steps": 7, "preset": None}, ["schedule=power", "betas=[0.8, 0.9]"])
    assert (training.steps, training.preset, training.schedule, training.betas) == (7, "tiny", "power", (0.8, 0.9))
    for given, message in (
        ("steps", "expected OPTION=VALUE"),
        ("steps=[", "not YAML"),
        ("step=3", "Options of a training"),
    ):
        with pytest.raises(UsageError, match=message):
            options.training_options({}, [given])


def test_what_was_renamed_is_refused_with_its_new_name() -> None:
    refuse = options.moved("--out", "give --name NAME").callback
    assert refuse(None) is None
    with pytest.raises(UsageError, match="--out: give --name NAME"):
        refuse("x")
