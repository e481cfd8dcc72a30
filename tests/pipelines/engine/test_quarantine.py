"""Setting aside exactly the documents on which a stage raises."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus import Filter, StageUnavailable, Verdict
from eyas.corpus.documents import documents
from eyas.pipelines.engine.quarantine import StageBroken, apply_filter, guarded


class Picky(Filter):
    """Raises on the documents whose text is in `bad`, drops those in `unwanted`."""

    bad: list[str] = []
    unwanted: list[str] = []

    def judge(self, docs: pa.Table) -> Verdict:
        texts = docs.column("text").to_pylist()
        if set(texts) & set(self.bad):
            raise ValueError("cannot")
        return Verdict.of([text not in self.unwanted for text in texts], reason="unwanted")


def docs(count: int) -> pa.Table:
    """Documents with the texts "0", "1", …"""
    return documents(list(range(count)), [str(i) for i in range(count)], "s", [f"o{i}" for i in range(count)])


@given(st.integers(0, 60), st.sets(st.integers(0, 59), max_size=20), st.sets(st.integers(0, 59)))
def test_only_the_guilty_are_set_aside(count: int, bad: set[int], unwanted: set[int]) -> None:
    stage = Picky(bad=[str(i) for i in bad], unwanted=[str(i) for i in unwanted])
    judged, verdict, refusals = apply_filter("picky", stage, docs(count))
    everything = set(range(count))
    assert judged.column("id").to_pylist() == sorted(everything - bad)
    assert judged.filter(verdict.kept).column("id").to_pylist() == sorted(everything - bad - unwanted)
    assert [refusal.id for refusal in refusals] == sorted(everything & bad)


def test_a_stage_that_raises_right_and_left_is_broken() -> None:
    with pytest.raises(StageBroken, match="cannot"):
        apply_filter("picky", Picky(bad=[str(i) for i in range(200)]), docs(200))


def test_what_makes_a_stage_unusable_is_blamed_on_no_document() -> None:
    def missing(piece: pa.Table) -> None:
        raise StageUnavailable("no model")

    with pytest.raises(StageUnavailable):
        guarded("s", missing, docs(3))
