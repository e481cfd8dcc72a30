"""The JSON Schema: valid itself, it takes the recipes of this repository and refuses what the loader refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from eyas.pipelines.recipe.registry import targets
from eyas.pipelines.recipe.schema import json_schema

jsonschema = pytest.importorskip("jsonschema")
RECIPES = sorted((Path(__file__).parents[3] / "pipelines/recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_our_recipes_are_valid(validator: Any, path: Path) -> None:
    validator.validate(YAML(typ="safe").load(path))


def test_there_are_recipes_and_every_stage_is_a_choice(validator: Any) -> None:
    assert RECIPES
    choices = validator.schema["$defs"]["stage"]["anyOf"]
    names = {next(iter(c["properties"])) for c in choices[1:]}
    assert set(choices[0]["enum"]) == set(targets()) == names - {"route"}


def test_conditions_and_routes_are_known(validator: Any) -> None:
    recipe = {"name": "x", "sources": [{"name": "a", "files": {"path": "in"}}]}
    limited = {"gopher_quality": {"min_doc_words": 3, "only": {"source": ["a"]}}}
    route = {
        "route": {
            "only": "lang IS NULL",
            "stages": [limited, {"route": {"only": {"lang": "de"}, "stages": ["c4_quality"]}}],
        }
    }
    assert validator.is_valid({**recipe, "stages": [limited, route]})
    assert not validator.is_valid({**recipe, "stages": [{"route": {"stages": [limited]}}]})
    assert not validator.is_valid({**recipe, "stages": [{"route": {"only": {}, "stages": [limited]}}]})


@pytest.mark.parametrize(
    "stage", [{"gopher_quality": {"min_doc_wrds": 3}}, "no_such_stage", {"no_such_stage": {}}, {"a": {}, "b": {}}, 3]
)
def test_a_wrong_stage_is_refused(validator: Any, stage: object) -> None:
    recipe = {"name": "x", "sources": [{"name": "a", "files": {"path": "in"}}], "stages": ["gopher_quality"]}
    assert validator.is_valid(recipe)
    assert not validator.is_valid({**recipe, "stages": [stage]})
