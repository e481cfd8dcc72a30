"""What lies on disk has exactly the keys and types that the records declare."""

from __future__ import annotations

import json
import types
import typing
from typing import Any

import pytest

from eyas.corpus.task import TaskEntry
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.passes import records

ENTRIES = {
    "documents": records.DocumentsEntry,
    "decide": records.DocumentsEntry,
    "select": records.SelectEntry,
    "keys": records.KeysEntry,
    "elect": TaskEntry,
    "spread": TaskEntry,
    "curated": records.CuratedEntry,
    "ledger": TaskEntry,
    "count pretokens": records.CountEntry,
    "add up counts": records.AddedUpEntry,
    "learn merges": records.LearnedEntry,
}
SUMMARIES = {
    "documents": records.DocumentsSummary,
    "generate": records.DocumentsSummary,
    "join": records.JoinSummary,
    "corpus": records.CorpusSummary,
    "curated": records.CuratedSummary,
    "tokenizer": records.TokenizerSummary,
    "shards": records.ShardsSummary,
}


def problem(kind: Any, data: Any, place: str = "") -> str | None:
    """The first thing about JSON `data` that `kind` does not declare."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return None
    if origin in (typing.Union, types.UnionType):
        tried = [problem(one, data, place) for one in arguments]
        return None if None in tried else tried[0]
    if origin is typing.NotRequired:
        return problem(arguments[0], data, place)
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        required = {key for key, hint in hints.items() if typing.get_origin(hint) is not typing.NotRequired}
        missing, unknown = required - set(data), set(data) - set(hints)
        if missing or unknown:
            return f"{place}: missing {sorted(missing)}, unknown {sorted(unknown)}"
        found = (problem(hints[key], value, f"{place}.{key}") for key, value in data.items())
    elif origin is dict:
        found = (problem(arguments[1], value, f"{place}.{key}") for key, value in data.items())
    elif origin is list:
        found = (problem(arguments[0], value, f"{place}[{i}]") for i, value in enumerate(data))
    elif origin is tuple:
        found = (problem(one, value, place) for one, value in zip(arguments, data, strict=True))
    else:
        right = isinstance(data, (int, float) if kind is float else kind)
        return None if right else f"{place}: {data!r} is no {kind}"
    return next((one for one in found if one), None)


def test_entries(small_run: Outcome) -> None:
    steps = set()
    for planned in small_run.plan.passes:
        for step in small_run.store.list(f"{planned.folder}/entries"):
            kind = ENTRIES.get(step)
            if step == "generate":
                kind = records.JoinedEntry if planned.kind == "join" else records.DocumentsEntry
            for name in small_run.store.list(f"{planned.folder}/entries/{step}"):
                entry = small_run.store.read_json(f"{planned.folder}/entries/{step}/{name}")
                assert entry["key"] == name.removesuffix(".json")
                if kind is not None:
                    assert problem(kind, entry, step) is None
                    steps.add((planned.kind, step))
    assert {step for _, step in steps} == {*ENTRIES, "generate"} and ("join", "generate") in steps


@pytest.mark.parametrize("kind", sorted(SUMMARIES))
def test_summaries(small_run: Outcome, kind: str) -> None:
    results = [small_run.results[p.digest] for p in small_run.plan.passes if p.kind == kind]
    assert results
    for result in results:
        assert problem(SUMMARIES[kind], json.loads(json.dumps(result.summary)), kind) is None


def test_keys_and_types_that_are_not_declared_are_seen() -> None:
    good = {"files": [], "key": "part-00000", "lowest": [[3, 4]]}
    assert problem(records.SelectEntry, good) is None
    assert "more" in str(problem(records.SelectEntry, {**good, "more": 1}))
    assert "lowest" in str(problem(records.SelectEntry, {"files": []}))
    assert "'x' is no" in str(problem(records.SelectEntry, {**good, "lowest": [[3, "x"]]}))
