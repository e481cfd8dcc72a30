"""Publishes the ledger: for each part, every decision of every pass on its documents, sorted by id."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus import ledger
from eyas.corpus.documents import conform
from eyas.corpus.task import Step, Steps, Task, TaskContext, TaskEntry, entries_of
from eyas.pipelines.engine.passes.base import PassState, Result, files_of

_ROWS: Final = 1 << 18
"""Rows of a piece of the merge: about 100 MB."""
_NO_ID: Final = (1 << 64) - 1
"""Above every id: a document's row number never has all its bits set."""


def work(state: PassState) -> Steps[Result]:
    """One file per part."""
    ledgers: dict[int, list[str]] = {}
    for planned in state.plan.passes:
        for number, path in (state.results[planned.digest].ledgers if planned.digest in state.results else {}).items():
            ledgers.setdefault(int(number), []).append(path)
    tasks = [Task(f"part-{number:05d}", partial(_merge, number, paths)) for number, paths in sorted(ledgers.items())]
    entries = yield from entries_of(Step.of("ledger", tasks))
    return Result(files=files_of(entries))


def _merge(number: int, paths: list[str], context: TaskContext) -> TaskEntry:
    """Merges the ledgers of a part by id, some row groups at a time: a compressed file may hold millions of records."""
    with ExitStack() as stack:
        inputs = [_Input(stack.enter_context(context.store.parquet_file(path))) for path in paths]
        ends = _ends([bounds for item in inputs for bounds in item.bounds])
        with context.store.parquet(f"ledger/part-{number:05d}.parquet", ledger.SCHEMA) as output:
            for end in ends:
                rows = pa.concat_tables([item.below(end) for item in inputs]).unify_dictionaries().combine_chunks()
                # Stable: decisions on one document stay in the order of the stages.
                order = np.argsort(rows.column("id").to_numpy(), kind="stable")
                output.write(rows.take(pa.array(order)))
    return {"files": [output.published().to_json()]}


@dataclass(frozen=True)
class _Bounds:
    """The ids in a row group."""

    first: int
    last: int
    rows: int


def _ends(groups: list[_Bounds]) -> list[int]:
    """The ids at which the merge may cut: each piece has about `_ROWS` rows, and the last one has all that is left."""
    ends: list[int] = []
    rows = 0
    for group in sorted(groups, key=lambda group: group.first):
        if rows >= _ROWS:
            ends.append(group.first)
            rows = 0
        rows += group.rows
    return [*ends, _NO_ID]


class _Input:
    """The ledger of one pass, read once from the lowest id to the highest."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        column = ledger.SCHEMA.get_field_index("id")
        self.bounds = []
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            ids = group.column(column).statistics
            self.bounds.append(_Bounds(ids.min, ids.max, group.num_rows))
        self._left = sorted(range(file.num_row_groups), key=lambda number: self.bounds[number].first, reverse=True)
        self._held: dict[int, pa.Table] = {}

    def below(self, end: int) -> pa.Table:
        """The rows with ids below `end` that were not returned yet, in the order of the file."""
        while self._left and self.bounds[self._left[-1]].first < end:
            number = self._left.pop()
            self._held[number] = conform(self._file.read_row_group(number), ledger.SCHEMA)
        found = []
        for number, rows in sorted(self._held.items()):
            below = pc.less(rows.column("id"), pa.scalar(end, pa.uint64()))
            found.append(rows.filter(below))
            self._held[number] = rows.filter(pc.invert(below))
        self._held = {number: rows for number, rows in self._held.items() if rows.num_rows}
        return pa.concat_tables([ledger.SCHEMA.empty_table(), *found])
