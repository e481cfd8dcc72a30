"""The result of a pass, samples of what it dropped, and the module of each kind of pass."""

from __future__ import annotations

import json
import typing

import pyarrow as pa
import pytest

from eyas.corpus import ledger
from eyas.corpus.documents import documents
from eyas.corpus.stage import Filter, Stage
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.passes import work_of
from eyas.pipelines.engine.passes.base import EXCERPT, SAMPLES, PassState, Result, Samples
from eyas.pipelines.engine.planning import Kind


@pytest.mark.parametrize("kind", typing.get_args(Kind))
def test_every_kind_of_pass_has_its_work(kind: Kind) -> None:
    assert work_of(kind).__module__.startswith("eyas.pipelines.engine.passes.")


def test_a_result_survives_its_manifest(small_run: Outcome) -> None:
    for result in small_run.results.values():
        again = Result.from_json(json.loads(json.dumps(result.to_json())))
        assert again.to_json() == result.to_json() and again.parts == result.parts


def test_books_of_all_sources_are_those_of_the_ledger(small_run: Outcome) -> None:
    planned = small_run.plan.passes[0]
    books = small_run.results[planned.digest].total("read")
    assert (books.documents, books.kept, books.quarantined) == (100, 98, 2)
    assert small_run.results[planned.digest].total("no such stage").documents == 0


def test_a_pass_of_one_stage_knows_its_class(small_run: Outcome) -> None:
    joiner = next(p for p in small_run.plan.passes if p.kind == "join")
    state = PassState(small_run.plan, joiner, small_run.store, [], {})
    assert state.stage(Stage)[0] == "pairs"
    with pytest.raises(TypeError, match="pairs: the pass is for a Filter, not for a Pairs"):
        state.stage(Filter)


def test_a_few_samples_of_each_reason_with_text_as_it_was() -> None:
    texts = ["<b>\u202e\x00" * 400, *(f"text {number}" for number in range(9))]
    docs = documents(list(range(10)), texts, "s", [f"o{number}" for number in range(10)])
    verdict = Verdict.of([number == 9 for number in range(10)], reason=["a"] * 5 + ["b"] * 5, score=1.0, threshold=2.0)
    rows = ledger.decisions("f", pa.array(range(10), pa.uint64()), verdict)
    refused = ledger.refused("f", [ledger.Refusal(77, "ValueError", "o77: cannot")])
    samples = Samples()
    for _ in range(2):  # two batches: the count goes on
        samples.add(docs, pa.concat_tables([rows, refused]))
    shown = samples.table().to_pylist()
    assert [(row["reason"], row["id"]) for row in shown] == [("a", 0), ("a", 1), ("a", 2), ("b", 5), ("b", 6), ("b", 7)]
    assert len(shown) == 2 * SAMPLES and shown[0]["excerpt"] == texts[0][:EXCERPT]
    assert shown[0]["origin"] == "o0" and (shown[0]["score"], shown[0]["threshold"]) == (1.0, 2.0)


def test_nothing_dropped_leaves_an_empty_table() -> None:
    samples = Samples()
    samples.add(documents([], [], "s", []), ledger.SCHEMA.empty_table())
    assert samples.table().num_rows == 0 and "excerpt" in samples.table().column_names
