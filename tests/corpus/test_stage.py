"""The base classes of stages: what travels to a worker, what options refuse, and what each kind declares."""

from __future__ import annotations

import pickle
from functools import cached_property
from typing import ClassVar

import pyarrow as pa
import pytest
from pydantic import ValidationError

from eyas.corpus.stage import CorpusStage, Filter, Generator, Joiner, Mapper, Stage
from eyas.corpus.verdict import Verdict


class Longer(Filter):
    """Keeps texts of at least `least` characters."""

    least: int = 3
    """Characters."""

    @cached_property
    def model(self) -> object:
        """Something that cannot be pickled."""
        return (number for number in range(3))

    def judge(self, docs: pa.Table) -> Verdict:
        assert self.model is not None
        return Verdict.of([len(text) >= self.least for text in docs.column("text").to_pylist()], reason="short")


class Pairs(Joiner):
    """Joins nothing."""

    def keys(self, docs: pa.Table, seed: int, total_bytes: int) -> pa.Array:
        return pa.nulls(docs.num_rows, pa.list_(pa.uint64()))

    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        return docs


def test_only_the_class_and_its_options_travel() -> None:
    stage = Longer(least=5)
    kept = stage.judge(pa.table({"text": ["köln", "Kölner", ""]})).kept.to_pylist()
    arrived = pickle.loads(pickle.dumps(stage))
    assert kept == [False, True, False]
    assert arrived == stage and "model" not in arrived.__dict__ and "model" in stage.__dict__


def test_an_option_that_was_not_given_stays_a_default() -> None:
    arrived = pickle.loads(pickle.dumps(Longer()))
    assert arrived.model_fields_set == set() and arrived.least == 3


def test_options_are_frozen_known_and_documented() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Longer().least = 4  # type: ignore[misc]
    with pytest.raises(ValidationError, match="leest"):
        Longer.model_validate({"leest": 4})
    assert Longer.model_fields["least"].description == "Characters."


def test_the_first_editions_name_of_scores_all_is_refused() -> None:
    with pytest.raises(TypeError, match="`cheap` is called `scores_all` since the second edition"):
        type("Old", (Longer,), {"cheap": True, "__annotations__": {"cheap": ClassVar[bool]}})


def test_a_joiner_takes_a_share_and_no_number_of_documents() -> None:
    assert Pairs(share=0.5).largest_group() is None
    with pytest.raises(ValidationError, match="give `share`, the share of groups, not `max_documents`"):
        Pairs(max_documents=3)


def test_a_generator_keeps_what_it_made_unless_it_has_a_gate() -> None:
    assert Pairs().gate(pa.table({"text": ["a", "b"]})).kept.to_pylist() == [True, True]


@pytest.mark.parametrize(
    "kind, name, runs_in, makes",
    [
        (Stage, "", "documents", False),
        (Mapper, "mapper", "documents", False),
        (Filter, "filter", "documents", False),
        (Generator, "generator", "generate", True),
        (Joiner, "joiner", "join", True),
        (CorpusStage, "corpus stage", "corpus", False),
    ],
)
def test_each_kind_has_a_name_and_a_kind_of_pass(kind: type[Stage], name: str, runs_in: str, makes: bool) -> None:
    assert (kind.kind_name, kind.pass_kind, kind.makes_documents) == (name, runs_in, makes)
