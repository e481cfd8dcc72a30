"""Runs a corpus stage by hand: parts on disk, its steps in order, one verdict per document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyas.corpus.documents import document_id, documents, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, TaskContext, as_generator, next_step
from eyas.text_kernels.splice import splice

LAST_NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True)
class Outcome:
    """The verdict on one document. `of`: the position of the document that it is a copy of."""

    kept: bool
    reason: str | None
    score: float | None
    of: int | None
    columns: dict[str, Any]
    text: str
    """The text that a reader gets, without the spans that were cut out."""
    detail: str | None = field(default=None, compare=False)


def run(
    stage: CorpusStage,
    folder: Path,
    texts: Sequence[str],
    cuts: Sequence[int] = (),
    gone: Sequence[int] = (),
    *,
    carry: Mapping[str, Sequence[Any]] | None = None,
) -> list[Outcome]:
    """The outcome of every text that reaches the stage, in order.

    `cuts`: where parts begin. `gone`: documents that an earlier stage dropped. `carry`: further columns of the documents.
    """
    store = Store(str(folder))
    bounds = [0, *cuts, len(texts)]
    parts, positions = [], {}
    for number, (first, last) in enumerate(pairwise(bounds)):
        part_number = 3 * number  # numbers of parts ascend, but have gaps where generators come in
        # Rows have gaps, too: where a record was broken, or a filter dropped a document.
        ids = [document_id(part_number, 3 * row + 1) for row in range(last - first)]
        positions.update(zip(ids, range(first, last), strict=True))
        columns = {name: pa.array(list(values[first:last])) for name, values in (carry or {}).items()}
        table = documents(ids, list(texts[first:last]), "s", [f"#{i}" for i in range(first, last)], columns)
        path, mask = f"documents/{number}.parquet", f"masks/{number}.parquet"
        store.write_table(path, table)
        kept = np.array([i not in gone for i in range(first, last)], np.bool_)
        store.write_table(mask, pa.table({"kept": pa.array(kept)}))
        rest = table.filter(pa.array(kept))
        parts.append(Part(part_number, "s", path, last - first, rest.num_rows, text_bytes(rest), (mask,)))
    context = TaskContext(store, "pass", seed=0)
    plan = as_generator(stage.plan(parts))
    entries: list[Entry] | None = None
    while (step := next_step(plan, entries)) is not None:
        done = {task.key: task.run(context) for task in reversed(step.tasks)}  # any order must do
        entries = [done[task.key] for task in step.tasks]
    outcomes: list[Outcome] = []
    for part in parts:
        verdict = stage.decide(part, parts, context)
        assert len(verdict) == part.kept
        kept_texts = pa.concat_arrays(
            [pa.array([], pa.large_string()), *(c for t in part.tables(store) for c in t.column("text").chunks)]
        )
        left = kept_texts if verdict.cuts is None else splice(kept_texts, verdict.cuts, verdict.filler)
        for i in range(len(verdict)):
            detail = verdict.detail[i].as_py()
            outcomes.append(
                Outcome(
                    verdict.kept[i].as_py(),
                    verdict.reason[i].as_py(),
                    verdict.score[i].as_py(),
                    positions.get(int(named.group())) if (named := LAST_NUMBER.search(detail or "")) else None,
                    {name: _plain(name, column[i].as_py(), positions) for name, column in verdict.columns.items()},
                    left[i].as_py(),
                    detail,
                )
            )
    return outcomes


def _plain(name: str, value: Any, positions: dict[int, int]) -> Any:
    """Ids depend on the cut into parts; positions in the list of texts do not."""
    return positions.get(value) if name == "cluster_id" else value
