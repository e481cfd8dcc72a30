"""Validates parts of a recipe by their models: each problem becomes a line with file, line and the nearest valid key."""

# Tested in tests/pipelines/recipe/test_recipe.py.

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from eyas.errors import nearest
from eyas.pipelines.recipe.yaml_file import Location, YamlFile

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], data: Any, location: Location, file: YamlFile, problems: list[str]) -> M | None:
    """The model of `data`, which stands at `location` of the file; None if there are problems, which are added."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for problem in error.errors():
            problems.append(_explain(model, problem, location, file))
        return None


def _explain(model: type[BaseModel], problem: Mapping[str, Any], location: Location, file: YamlFile) -> str:
    unknown = problem["type"] == "extra_forbidden"
    # Steps such as `function-before[…]` are Pydantic's own; the last one may be a key that somebody wrote.
    own, last = (problem["loc"][:-1], problem["loc"][-1:]) if unknown else (problem["loc"], ())
    inner = (*(step for step in own if not (isinstance(step, str) and "[" in step)), *last)
    place = (*location, *inner)
    message = str(problem["msg"])
    if unknown:
        parent = _model_at(model, inner[:-1])
        keys = list(parent.model_fields) if parent else []
        if len(place) == 1:  # `stages` is read by itself, not by the recipe's model
            keys.append("stages")
        message = f"unknown key{nearest(str(inner[-1]), keys)} (known: {', '.join(keys)})"
    elif problem["type"] == "missing":
        message = "is required, but missing"
    elif problem["type"] == "value_error":
        message = message.removeprefix("Value error, ")
    elif problem.get("input") is not None and not isinstance(problem["input"], dict | list):
        message = f"{message[0].lower()}{message[1:]}, found {problem['input']!r}"
    return file.problem(place, message)


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that validates what is at `location`."""
    for step in location:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        models = _models_in(field.annotation) if field is not None else []
        if not models:
            return None
        model = models[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for item in typing.get_args(annotation) for model in _models_in(item)]
