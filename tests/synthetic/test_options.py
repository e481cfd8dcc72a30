"""Options of stages with a language model: mistakes are errors in words, and a run has one budget ledger."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eyas.corpus.stage import SharedResource
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.errors import InputError
from eyas.pipelines.engine.executors import RayExecutor
from eyas.synthetic.annotate import Annotate
from eyas.synthetic.budget import Answer, BudgetLedger, Charge, Grant
from eyas.synthetic.rewrite import Rewrite

ENDPOINT: dict[str, Any] = {"endpoint": "http://127.0.0.1:1/v1", "model": "m"}


def context(folder: Path) -> TaskContext:
    """The context of a task whose run lies in `folder`."""
    return TaskContext(Store(str(folder)), "passes/x", seed=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "wikipedia"}, "built in are code_rewrite"),
        ({"endpoint": "http://127.0.0.1:1/v1"}, "must name one of its models"),
        ({"budget": {"money": 5}}, "`price` must say"),
        ({"variables": {"language": "French"}}, "has no variable language"),
    ],
)
def test_mistakes_are_errors_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Rewrite(**options)


def test_all_stages_of_a_run_share_one_ledger(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    rewrite, annotate = Rewrite(**ENDPOINT), Annotate(**ENDPOINT)
    assert rewrite.shared_resource(store).key == annotate.shared_resource(store).key == str(tmp_path / "answers.sqlite")
    elsewhere = Rewrite(**ENDPOINT, cache=str(tmp_path / "other.sqlite"))
    assert elsewhere.shared_resource(store).key == str(tmp_path / "other.sqlite")


def test_a_resource_is_served_once_and_only_on_several_nodes() -> None:
    served: list[str] = []
    resources = [SharedResource(key, partial(served.append, key)) for key in ("b", "a", "b")]
    executor = RayExecutor(None, 1)
    executor.serve(resources)
    assert served == [], "on one node workers open the file themselves"
    executor.nodes = 2
    executor.serve(resources)
    assert served == ["a", "b"]


def test_a_run_in_an_object_store_needs_a_local_file() -> None:
    store = Store("memory://bucket/run")
    with pytest.raises(InputError, match=r"the budget is kept in a SQLite file: name a local path.*`cache: PATH`"):
        Rewrite(**ENDPOINT).shared_resource(store)
    assert Rewrite(**ENDPOINT, cache="/x.sqlite").shared_resource(store).key == "/x.sqlite"


def test_a_first_edition_account_goes_on(tmp_path: Path) -> None:
    """The names of account and file are those that existing runs have on disk."""
    stage = Rewrite(**ENDPOINT, budget={"requests": 3})
    assert stage.terms.account == "wikipedia_style by m" and stage.origin == "wikipedia_style 2"
    ledger = BudgetLedger(str(tmp_path / "answers.sqlite"))
    grant = ledger.reserve(stage.terms, Charge("k", 10, 10))
    assert isinstance(grant, Grant)
    ledger.settle(stage.terms, grant, Answer("text", "stop", 5, 4))
    stage.open(context(tmp_path))
    figures = stage.figures()
    assert figures.account == "wikipedia_style by m" and figures.sums == {}
    assert (figures.totals["requests"], figures.totals["output_tokens"], figures.totals["budget"]) == (
        1,
        4,
        "3 requests",
    )
