"""The recipe's JSON Schema, by which editors complete and check YAML."""

from __future__ import annotations

from typing import Any

from eyas.pipelines.recipe.recipe import recipe_model
from eyas.pipelines.recipe.registry import stage_class, targets

ONLY: dict[str, Any] = {
    "description": "The documents that the stage is asked about: columns with their values, or a condition in SQL.",
    "anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1}],
}


def json_schema() -> dict[str, Any]:
    """One schema for the whole recipe, including every known stage."""
    schema = recipe_model().model_json_schema()
    definitions = schema.setdefault("$defs", {})
    choices: list[dict[str, Any]] = [{"enum": sorted(targets())}]
    for name in sorted(targets()):
        cls = stage_class(name)
        options = cls.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(options.pop("$defs", {}))
        options["properties"] = {**options.get("properties", {}), "only": ONLY}
        options["description"] = f"{cls.kind_name}: {(cls.__doc__ or '').strip()}"
        definitions[f"stage_{name}"] = {"anyOf": [options, {"type": "null"}]}
        choices.append(
            {
                "type": "object",
                "properties": {name: {"$ref": f"#/$defs/stage_{name}"}},
                "required": [name],
                "additionalProperties": False,
            }
        )
    stages = {
        "type": "array",
        "description": "What happens to the documents, in order.",
        "items": {"$ref": "#/$defs/stage"},
    }
    route = {
        "type": "object",
        "properties": {"only": ONLY, "stages": stages},
        "required": ["only", "stages"],
        "additionalProperties": False,
        "description": "Stages for some documents; the others pass them by.",
    }
    choices.append(
        {"type": "object", "properties": {"route": route}, "required": ["route"], "additionalProperties": False}
    )
    definitions["stage"] = {"anyOf": choices}
    schema["properties"]["stages"] = stages
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Eyas recipe"
    return schema
