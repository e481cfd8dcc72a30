"""The safety belt: in every run a sample of removals is looked at again, from the texts, by other code than removed them.

More than half of unverified removals were wrong when people read them (marin PR#7591), and nothing in the tool had said
so. Here each task hands over the removals with the lowest lots of chance, a sample that depends on ids and seed only; one
task reads both texts of each pair and compares them in plain Python, without hashes, sorting or shuffles. One wrong
removal stops the run, with its report: it is a defect. The trade: two row groups are read for each pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.documents import partition_of
from eyas.corpus.part import Part
from eyas.corpus.sampling import hash_rank, mix
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.words import SKIP, normalising, words

SAMPLED = 100
"""Removals looked at in a run."""
OFFERED = 4 * SAMPLED
"""Removals that may be looked at, if some are passed over."""
MOST_BYTES = 500_000
"""Pairs with a longer text are passed over: in plain Python one of 50 MB takes minutes and gigabytes."""
SHOWN_CHARACTERS = 1200
PATH = "audit/pairs.parquet"

SCHEMA = pa.schema(
    [
        ("kept", pa.uint64()),
        ("dropped", pa.uint64()),
        ("source", pa.string()),
        ("kept_origin", pa.string()),
        ("dropped_origin", pa.string()),
        ("right", pa.bool_()),
        ("value", pa.float64()),
        ("kept_text", pa.large_string()),
        ("dropped_text", pa.large_string()),
    ]
)


@dataclass(frozen=True)
class Pair:
    """A removal: the document that stayed, the one that was dropped or cut, and what was removed of it, if not all."""

    kept: dict[str, Any]
    dropped: dict[str, Any]
    span: tuple[int, int] | None = None


class Auditor(ABC):
    """Judges a removal from the texts alone. Travels to a worker, so it holds a stage's options and nothing else."""

    columns: tuple[str, ...] = ()
    """Columns that it reads besides id, text, source and origin."""

    @abstractmethod
    def right(self, pair: Pair) -> tuple[bool, float]:
        """Whether the removal was right, and the figure (a similarity) that says so."""

    def span(self, dropped: dict[str, Any], row: Mapping[str, int]) -> tuple[int, int] | None:
        """The bytes of the document `dropped` that the sampled `row` speaks of; None for all of it."""
        return None


def sample(removed: pa.Table, seed: int) -> Entry:
    """What a task's entry says of its removals (id, anchor, and uint64 columns that tell several of one document apart):
    those with the lowest lots."""
    with np.errstate(over="ignore"):
        salted = removed.column("id").to_numpy()
        for name in removed.column_names:
            if name not in ("id", "anchor"):
                salted = mix(salted) + removed.column(name).to_numpy()
    # Rows that are equal have equal lots: one of them is enough.
    lots, first = np.unique(hash_rank(salted, seed), return_index=True)
    rows = removed.take(pa.array(first[:OFFERED])).append_column("lot", pa.array(lots[:OFFERED]))
    return {"sample": rows.to_pylist()}


def audit_step(entries: Sequence[Entry], inputs: Sequence[Part], auditor: Auditor) -> Step:
    """The step that looks at the sample of all removals which `entries` tell of."""
    rows = [row for entry in entries for row in entry["sample"]]
    rows.sort(key=lambda row: (row["lot"], row["id"], row["anchor"]))
    return Step.of("audit", [Task("all", partial(_audit, rows[:OFFERED], inputs, auditor))])


def _audit(rows: Sequence[dict[str, int]], inputs: Sequence[Part], auditor: Auditor, context: TaskContext) -> Entry:
    found: list[dict[str, Any]] = []
    too_long = 0
    for start in range(0, len(rows), SAMPLED):
        if len(found) == SAMPLED:
            break
        some = rows[start : start + SAMPLED]
        documents = _read({row[name] for row in some for name in ("id", "anchor")}, inputs, auditor, context)
        for row in some:
            if len(found) == SAMPLED:
                break
            kept, dropped = documents[row["anchor"]], documents[row["id"]]
            if max(len(kept["text"]), len(dropped["text"])) > MOST_BYTES:
                too_long += 1
            else:
                found.append(_judged(row, kept, dropped, auditor))
    entry = context.store.write_table(f"{context.folder}/{PATH}", pa.Table.from_pylist(found, SCHEMA))
    right = sum(row["right"] for row in found)
    return {"files": [entry.to_json()], "sampled": len(found), "right": right, "too_long": too_long}


def _judged(row: Mapping[str, int], kept: dict[str, Any], dropped: dict[str, Any], auditor: Auditor) -> dict[str, Any]:
    span = auditor.span(dropped, row)
    right, value = auditor.right(Pair(kept, dropped, span))
    left, other = excerpts(kept["text"], dropped["text"], span)
    return {
        "kept": row["anchor"],
        "dropped": row["id"],
        "source": dropped["source"],
        "kept_origin": kept["origin"],
        "dropped_origin": dropped["origin"],
        "right": right,
        "value": value,
        "kept_text": left,
        "dropped_text": other,
    }


def _read(ids: set[int], inputs: Sequence[Part], auditor: Auditor, context: TaskContext) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    columns = ["id", "text", "source", "origin", *auditor.columns]
    for part in inputs:
        wanted = sorted(document for document in ids if partition_of(document) == part.number)
        for docs in part.pick(context.store, wanted, columns) if wanted else ():
            found.update({row["id"]: row for row in docs.to_pylist()})
    return found


def excerpts(left: str, right: str, span: tuple[int, int] | None = None) -> tuple[str, str]:
    """The stretch of both texts that shows most: around where they first differ, or around the span that was removed."""
    if span is not None:
        data = right.encode()
        piece = data[span[0] : span[1]].decode()
        at, there = len(data[: span[0]].decode()), max(left.find(piece), 0)
        before = SHOWN_CHARACTERS // 4
        return (
            left[max(there - before, 0) : there + SHOWN_CHARACTERS - before],
            right[max(at - before, 0) : at + SHOWN_CHARACTERS - before],
        )
    same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    whole = left == right or max(len(left), len(right)) <= SHOWN_CHARACTERS
    begin = 0 if whole else max(same - SHOWN_CHARACTERS // 3, 0)
    return left[begin : begin + SHOWN_CHARACTERS], right[begin : begin + SHOWN_CHARACTERS]


def normalised_words(text: str, fold_case: bool, fold_digits: bool) -> list[str]:
    """The words of a text as hashes of words see them."""
    column = pa.array([text], pa.large_string())
    data = buffers(column)[0].tobytes()
    start, end, _ = words(column)
    # No word has a line break in it: all are decoded and folded at once.
    joined = b"\n".join([data[i:j] for i, j in zip(start.tolist(), end.tolist(), strict=True)]).decode()
    return normalised(joined, fold_case, fold_digits).split("\n") if len(start) else []


def normalised(text: str, fold_case: bool, fold_digits: bool) -> str:
    """The text as hashes of words see it: invisible characters left out, case and digits folded."""
    return text.translate(_translation(fold_case, fold_digits))


class _Translation(dict[int, int | None]):
    """A table for `str.translate` that is filled as it is asked."""

    def __init__(self, table: npt.NDArray[np.int32]) -> None:
        self._table = table

    def __missing__(self, code: int) -> int | None:
        found = int(self._table[code])
        self[code] = None if found == SKIP else found
        return self[code]


@lru_cache(maxsize=4)
def _translation(fold_case: bool, fold_digits: bool) -> _Translation:
    return _Translation(normalising(fold_case, fold_digits))
