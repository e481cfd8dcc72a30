"""The history of a document: every stage's decision on it, with score, threshold and reason."""

# Tested in tests/end_to_end/test_edges.py.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus import ledger
from eyas.corpus.documents import PARENT, partition_of
from eyas.corpus.store import Store
from eyas.errors import EyasError, InputError
from eyas.pipelines.engine.planning import recipe_of_run

ELSEWHERE = "(its text is not in curated/*.parquet: the recipe publishes other columns, or another format)"
PASSED = "passed_by"
"""The reason of a line for a stage that was not asked about the document."""


@dataclass(frozen=True)
class History:
    """The history of a document. `decisions`: its ledger rows in order; `excerpt`: the beginning of its curated text."""

    id: int
    origin: str | None
    decisions: list[dict[str, Any]]
    excerpt: str | None
    parents: list[int]
    source_id: str | None = None
    """The input's own id of the document."""

    @property
    def survived(self) -> bool:
        """Whether it is among the curated documents."""
        return self.excerpt is not None


def explain(store: Store, wanted: str) -> list[History]:
    """The histories of the documents that `wanted` names: an id, the input's own id, an origin, or the end of an origin.

    For a run that is at work or has failed, from the ledgers of the passes that are done. Raises InputError if there are
    none, or no such document.
    """
    ledgers = _Ledgers(store)
    if not ledgers.paths:
        raise InputError(
            f"{store.name()}: no ledger here; is this the folder of a run (runs/<name>) that has read something?"
        )
    ids = _by_id(ledgers, wanted) if wanted.isdigit() else []
    ids += [document for document in _by_source_id(ledgers, wanted) if document not in ids]
    if not ids and not wanted.isdigit():
        ids = _by_origin(store, ledgers, wanted)
    if not ids:
        raise InputError(
            f"{store.name()}: no document with the id, the `source_id` or the origin {wanted!r}. An origin is a path, or "
            f"path#row, as in the column `origin` of curated/; its end is enough."
        )
    limits = _limits(store)
    return [_history(store, ledgers, document, limits) for document in ids]


class _Ledgers:
    """The ledger of a run: the published one, or the pieces that its passes have left so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        published = [name for name in store.list("ledger") if name.endswith(".parquet")]
        self.paths: dict[str, list[str]] = {name: [f"ledger/{name}"] for name in published}
        if not published and store.exists("plan.json"):
            for planned in store.read_json("plan.json")["passes"]:
                for name in store.list(f"{planned['folder']}/ledger"):
                    self.paths.setdefault(name, []).append(f"{planned['folder']}/ledger/{name}")

    def read(self, name: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Rows of one part, in the order of the passes."""
        tables = [self._store.read_table(path, columns, filters) for path in self.paths[name]]
        return pa.concat_tables(tables, promote_options="permissive")

    def has(self, name: str, column: str) -> bool:
        """Whether a part has a column; ledgers of the first edition have fewer."""
        with self._store.open(self.paths[name][0]) as file:
            return column in pq.read_schema(file).names


def _limits(store: Store) -> list[tuple[str, str | None]]:
    """The stages of the run in their order, each with the condition that limits it, if it is limited."""
    try:
        stages = recipe_of_run(store).stages
    except EyasError:
        return []  # the ledger says enough without
    # A generator decides on what it made, not on what it was made of.
    limits = {named.label: named.only for named in stages if not named.stage.makes_documents}
    return [(named.label, str(only) if (only := limits.get(named.label)) is not None else None) for named in stages]


def _with_passed(
    decisions: list[dict[str, Any]], limits: list[tuple[str, str | None]], survived: bool
) -> list[dict[str, Any]]:
    """The decisions with a line for each stage that the document passed by: it reached the stage, and there is none of it."""
    by_stage = {row["stage"]: row for row in decisions}
    order = [label for label, _ in limits]
    last = len(order) if survived else max((order.index(name) for name in by_stage if name in order), default=-1)
    rows = [row for row in decisions if row["stage"] not in order]
    for place, (label, condition) in enumerate(limits):
        if label in by_stage:
            rows.append(by_stage[label])
        elif condition is not None and place < last:
            empty = dict.fromkeys(ledger.SCHEMA.names)
            rows.append({**empty, "stage": label, "kept": True, "reason": PASSED, "detail": f"only {condition}"})
    return rows


def _by_id(ledgers: _Ledgers, wanted: str) -> list[int]:
    document = int(wanted)
    return [document] if _decisions(ledgers, document) else []


def _by_source_id(ledgers: _Ledgers, wanted: str, limit: int = 10) -> list[int]:
    """Documents with this id in the input; ledgers of the first edition hold none."""
    ids: list[int] = []
    for name in ledgers.paths:
        if ledgers.has(name, "source_id"):
            ids += ledgers.read(name, ["id"], [("source_id", "==", wanted)]).column("id").to_pylist()
        if len(ids) >= limit:
            break
    return ids[:limit]


def _by_origin(store: Store, ledgers: _Ledgers, wanted: str, limit: int = 10) -> list[int]:
    ids: list[int] = []
    for name in ledgers.paths:
        rows = ledgers.read(name, ["id", "detail"], [("stage", "==", ledger.READ)])
        detail = rows.column("detail")
        matches = pc.ends_with(detail, wanted)
        # A record that could not be read has no origin in the ledger, but a message that begins with it.
        for start in _as_messages(wanted):
            matches = pc.or_(matches, pc.match_substring(detail, start))
        ids += rows.filter(pc.fill_null(matches, False)).column("id").to_pylist()
        curated = f"curated/{name}"
        if len(ids) < limit and store.exists(curated):
            generated = store.read_table(curated, columns=["id", "origin"])
            ends = pc.fill_null(pc.ends_with(generated.column("origin"), wanted), False)
            ids += [i for i in generated.filter(ends).column("id").to_pylist() if i not in ids]
        if len(ids) >= limit:
            break
    return ids[:limit]


def _as_messages(origin: str) -> list[str]:
    """How a message about the record at `origin` begins: "path: …", "path, line 3: …"."""
    path, sign, number = origin.rpartition("#")
    if not sign:
        return [f"{origin}: "]
    place = number.replace("-", " ")
    return [f"{path}, {place}: "] if "-" in number else [f"{path}, line {place}: ", f"{path}, row {place}: "]


def _decisions(ledgers: _Ledgers, document: int) -> list[dict[str, Any]]:
    name = f"part-{partition_of(document):05d}.parquet"
    if name not in ledgers.paths:
        return []
    rows: list[dict[str, Any]] = ledgers.read(name, filters=[("id", "==", document)]).to_pylist()
    return rows


def _has_ids(store: Store, path: str) -> bool:
    with store.open(path) as file:
        return "id" in pq.read_schema(file).names


def _elsewhere(store: Store, path: str, decisions: list[dict[str, Any]]) -> str | None:
    """A note in place of the text of a document that was kept, but is published in another form."""
    kept = bool(decisions) and all(row["kept"] for row in decisions)
    return ELSEWHERE if kept and not store.exists(path) and store.list("curated") else None


def _history(store: Store, ledgers: _Ledgers, document: int, limits: list[tuple[str, str | None]]) -> History:
    decisions = _decisions(ledgers, document)
    path = f"curated/part-{partition_of(document):05d}.parquet"
    rows: list[dict[str, Any]] = []
    if store.exists(path) and _has_ids(store, path):
        rows = store.read_table(path, filters=[("id", "==", document)]).to_pylist()
    origin = rows[0].get("origin") if rows else None
    if origin is None:
        origin = next((d["detail"] for d in decisions if d["stage"] == ledger.READ and d["kept"]), None)
    return History(
        id=document,
        origin=origin,
        decisions=_with_passed(decisions, limits, bool(rows)),
        excerpt=(rows[0].get("text") or ELSEWHERE)[:400] if rows else _elsewhere(store, path, decisions),
        parents=(rows[0].get(PARENT.name) or []) if rows else [],
        source_id=next((d["source_id"] for d in decisions if d.get("source_id") is not None), None),
    )
