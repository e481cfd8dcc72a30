"""The audit: in every run, other code than removed them judges a sample of removals again, from the texts.

More than half of unverified removals were wrong when people read them (marin PR#7591), and the tool had not noticed. Here
each task returns the removals of lowest hash rank, a sample that depends on ids and seed only; one task reads both texts
of each pair and compares them in plain Python, without hashes, sorting or shuffles. A wrong removal is a defect: one stops
the run, with its report. The trade: two row groups are read for each pair.
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
"""Removals judged again in a run."""
OFFERED = 4 * SAMPLED
"""Removals that each task returns, because some may be skipped."""
MOST_BYTES = 500_000
"""Pairs with a longer text are skipped: in plain Python one of 50 MB takes minutes and gigabytes."""
SHOWN_CHARACTERS = 1200
PATH = "audit/pairs.parquet"
_RANK = "lot"
"""The hash rank of a sampled row, as the entries of tasks have named it since the first edition."""

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
    """A removal: the document that stayed, and the document that was dropped or cut."""

    kept: dict[str, Any]
    dropped: dict[str, Any]
    span: tuple[int, int] | None = None
    """The bytes of `dropped` that were removed; None for all of them."""


class Auditor(ABC):
    """Judges a removal from the texts alone. It travels to a worker, so it holds options of a stage and nothing else."""

    columns: tuple[str, ...] = ()
    """Columns that it reads besides id, text, source and origin."""

    @abstractmethod
    def right(self, pair: Pair) -> tuple[bool, float]:
        """Whether the removal was right, and the similarity that decides it."""

    def span(self, dropped: dict[str, Any], row: Mapping[str, int]) -> tuple[int, int] | None:
        """The bytes of the document `dropped` that the sampled `row` stands for; None for all of it."""
        return None


def sample(removed: pa.Table, seed: int) -> Entry:
    """The sample of a task's removals, those of lowest hash rank, for its entry.

    `removed`: id, anchor, and uint64 columns that distinguish several removals of one document.
    """
    with np.errstate(over="ignore"):
        salted = removed.column("id").to_numpy()
        for name in removed.column_names:
            if name not in ("id", "anchor"):
                salted = mix(salted) + removed.column(name).to_numpy()
    # Equal rows have equal ranks: one of them is enough.
    ranks, first = np.unique(hash_rank(salted, seed), return_index=True)
    rows = removed.take(pa.array(first[:OFFERED])).append_column(_RANK, pa.array(ranks[:OFFERED]))
    return {"sample": rows.to_pylist()}


def audit_step(entries: Sequence[Entry], inputs: Sequence[Part], auditor: Auditor) -> Step:
    """The step that judges a sample of all removals again; `entries` hold the samples of the tasks."""
    rows = [row for entry in entries for row in entry["sample"]]
    rows.sort(key=lambda row: (row[_RANK], row["id"], row["anchor"]))
    return Step.of("audit", [Task("all", partial(_audit, rows[:OFFERED], inputs, auditor))])


def _audit(rows: Sequence[dict[str, int]], inputs: Sequence[Part], auditor: Auditor, context: TaskContext) -> Entry:
    judged: list[dict[str, Any]] = []
    too_long = 0
    for start in range(0, len(rows), SAMPLED):
        if len(judged) == SAMPLED:
            break
        batch = rows[start : start + SAMPLED]
        documents = _read({row[name] for row in batch for name in ("id", "anchor")}, inputs, auditor, context)
        for row in batch:
            if len(judged) == SAMPLED:
                break
            kept, dropped = documents[row["anchor"]], documents[row["id"]]
            if max(len(kept["text"]), len(dropped["text"])) > MOST_BYTES:
                too_long += 1
            else:
                judged.append(_judge(row, kept, dropped, auditor))
    entry = context.store.write_table(f"{context.folder}/{PATH}", pa.Table.from_pylist(judged, SCHEMA))
    right = sum(row["right"] for row in judged)
    return {"files": [entry.to_json()], "sampled": len(judged), "right": right, "too_long": too_long}


def _judge(row: Mapping[str, int], kept: dict[str, Any], dropped: dict[str, Any], auditor: Auditor) -> dict[str, Any]:
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
    by_id: dict[int, dict[str, Any]] = {}
    columns = ["id", "text", "source", "origin", *auditor.columns]
    for part in inputs:
        wanted = sorted(document for document in ids if partition_of(document) == part.number)
        for docs in part.pick(context.store, wanted, columns) if wanted else ():
            by_id.update({row["id"]: row for row in docs.to_pylist()})
    return by_id


def excerpts(left: str, right: str, span: tuple[int, int] | None = None) -> tuple[str, str]:
    """Excerpts of both texts: around the place where they first differ, or around the span that was removed."""
    if span is not None:
        data = right.encode()
        piece = data[span[0] : span[1]].decode()
        in_right, in_left = len(data[: span[0]].decode()), max(left.find(piece), 0)
        before = SHOWN_CHARACTERS // 4
        return (
            left[max(in_left - before, 0) : in_left + SHOWN_CHARACTERS - before],
            right[max(in_right - before, 0) : in_right + SHOWN_CHARACTERS - before],
        )
    same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    whole = left == right or max(len(left), len(right)) <= SHOWN_CHARACTERS
    begin = 0 if whole else max(same - SHOWN_CHARACTERS // 3, 0)
    return left[begin : begin + SHOWN_CHARACTERS], right[begin : begin + SHOWN_CHARACTERS]


def normalised_words(text: str, fold_case: bool, fold_digits: bool) -> list[str]:
    """The words of a text, normalised as they are before hashing."""
    column = pa.array([text], pa.large_string())
    data = buffers(column)[0].tobytes()
    start, end, _ = words(column)
    # No word has a line break in it: all are decoded and folded at once.
    joined = b"\n".join([data[i:j] for i, j in zip(start.tolist(), end.tolist(), strict=True)]).decode()
    return normalised(joined, fold_case, fold_digits).split("\n") if len(start) else []


def normalised(text: str, fold_case: bool, fold_digits: bool) -> str:
    """The text as it is before hashing: invisible characters left out, case and digits folded."""
    return text.translate(_translation(fold_case, fold_digits))


class _Translation(dict[int, int | None]):
    """A table for `str.translate` that fills itself on demand."""

    def __init__(self, table: npt.NDArray[np.int32]) -> None:
        self._table = table

    def __missing__(self, code: int) -> int | None:
        target = int(self._table[code])
        self[code] = None if target == SKIP else target
        return self[code]


@lru_cache(maxsize=4)
def _translation(fold_case: bool, fold_digits: bool) -> _Translation:
    return _Translation(normalising(fold_case, fold_digits))
