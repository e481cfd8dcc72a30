"""The merge of the ledgers of a part, beside a sort of all rows at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyas.corpus import ledger
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes import ledger as merge

BATCHES = st.lists(st.lists(st.integers(0, 40), unique=True, max_size=12), max_size=5)


def decided(stage: str, ids: list[int]) -> pa.Table:
    kept = np.array([number % 3 > 0 for number in ids], np.bool_)
    return ledger.decisions(stage, pa.array(ids, pa.uint64()), Verdict.of(kept, reason=f"{stage} says so"))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(passes=st.lists(BATCHES, min_size=1, max_size=3), rows=st.integers(1, 30))
def test_the_merge_is_a_stable_sort(
    passes: list[list[list[int]]], rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row groups may overlap, be empty, and hold several stages: the order is that of one stable sort."""
    store = Store(str(tmp_path))
    written: list[pa.Table] = []
    for number, batches in enumerate(passes):
        with store.parquet(f"{number}.parquet", ledger.SCHEMA) as file:
            for ids in batches:
                tables = [decided(f"{number}.{stage}", ids) for stage in "ab"]
                table = pa.concat_tables(tables).unify_dictionaries()
                file.write(table)
                written.append(table)
    monkeypatch.setattr(merge, "_ROWS", rows)
    context = TaskContext(store, "", 0)
    merge._merge(0, [f"{number}.parquet" for number in range(len(passes))], context)
    whole = pa.concat_tables([ledger.SCHEMA.empty_table(), *written]).unify_dictionaries().combine_chunks()
    expected = whole.take(np.argsort(whole.column("id").to_numpy(), kind="stable"))
    assert store.read_table("ledger/part-00000.parquet").to_pylist() == expected.to_pylist()
