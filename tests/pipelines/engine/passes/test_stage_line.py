"""Stages in a row over one part: fused filters decide as filters one after another do, and walk the text once."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.documents import documents
from eyas.corpus.stage import Filter, Mapper
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes.stage_line import StageLine, fused
from eyas.pipelines.recipe.recipe import NamedStage

TEXT = st.text(st.sampled_from("ab é日"), max_size=4)


class Without(Filter):
    """Drops texts with a letter, raises on another."""

    letter: str
    raises_on: str = ""

    def judge(self, docs: pa.Table) -> Verdict:
        texts = docs.column("text").to_pylist()
        if self.raises_on and any(self.raises_on in text for text in texts):
            raise ValueError("cannot judge")
        return Verdict.of([self.letter not in text for text in texts], reason=f"has_{self.letter}")


class Fused(Without):
    """The same, fused with its like."""

    scores_all: ClassVar[bool] = True


class Same(Mapper):
    """Changes nothing."""

    def map(self, docs: pa.Table) -> pa.Table:
        return docs


def line(cls: type[Without], folder: Path) -> StageLine:
    stages = [NamedStage(f"no_{letter}", "no", cls(letter=letter, raises_on="é")) for letter in "ab"]
    return StageLine(stages, TaskContext(Store(str(folder)), "passes/x", seed=0))


def test_only_neighbours_that_score_all_are_fused() -> None:
    stages = [
        NamedStage(str(number), "s", stage)
        for number, stage in enumerate(
            [Fused(letter="a"), Fused(letter="b"), Same(), Fused(letter="a"), Without(letter="a"), Without(letter="b")]
        )
    ]
    assert [[named.label for named in group] for group in fused(stages)] == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
    assert fused([]) == []


@settings(deadline=None, max_examples=50)
@given(st.lists(TEXT, max_size=12))
def test_fused_filters_keep_book_and_sample_as_separate_ones_do(texts: list[str]) -> None:
    docs = documents(list(range(len(texts))), texts, "s", [f"o{number}" for number in range(len(texts))])
    together, apart = line(Fused, Path("/tmp")), line(Without, Path("/tmp"))
    assert together.apply(docs).to_pylist() == apart.apply(docs).to_pylist()
    for books in (*together.books.values(), *apart.books.values()):
        books.seconds = 0.0
    assert together.books == apart.books
    assert together.take_ledger().to_pylist() == apart.take_ledger().to_pylist()
    assert together.samples.table().to_pylist() == apart.samples.table().to_pylist()
    kept = [text for text in texts if not set(text) & set("abé")]
    assert together.apply(docs).column("text").to_pylist() == kept


def test_a_part_without_documents_has_books_of_every_stage(tmp_path: Path) -> None:
    stages = line(Fused, tmp_path)
    context = TaskContext(Store(str(tmp_path)), "passes/x", seed=0)
    schema = documents([], [], "s", []).schema
    entry = stages.publish(3, "s", iter([]), schema, context)
    assert list(entry["books"]) == ["no_a", "no_b"] and entry["part"]["rows"] == 0
    assert {file["path"] for file in entry["files"]} == {
        f"passes/x/{name}/part-00003.parquet" for name in ("documents", "ledger", "samples", "scores-0")
    }
