"""Publishes the ledger: for each part, every decision of every pass on its documents, sorted by id."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from eyas.corpus import ledger
from eyas.corpus.documents import conform
from eyas.corpus.task import Step, Steps, Task, TaskContext, TaskEntry, entries_of
from eyas.pipelines.engine.passes.base import PassState, Result, files_of


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
    tables = [conform(context.store.read_table(path), ledger.SCHEMA) for path in paths]
    rows = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    # Stable: decisions on one document stay in the order of the stages.
    order = np.argsort(rows.column("id").to_numpy(), kind="stable")
    entry = context.store.write_table(f"ledger/part-{number:05d}.parquet", rows.take(pa.array(order)))
    return {"files": [entry.to_json()]}
