"""`run` and `plan` as functions, and the executor that their options name."""

from __future__ import annotations

import pytest

from eyas.errors import UsageError
from eyas.pipelines.api import make_executor, plan, run
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.executors import InlineExecutor, RayExecutor
from eyas.pipelines.engine.observer import Observer
from eyas.pipelines.engine.planning import Pass
from eyas.pipelines.recipe.yaml_file import RecipeError


def test_a_run_leaves_products_and_a_report(small_run: Outcome) -> None:
    assert small_run.curated is not None and small_run.curated.summary["documents"] > 0
    assert small_run.tokenizer is not None and small_run.shards is not None and small_run.model is None
    assert small_run.store.exists("report.html") and small_run.store.exists("manifest.json")
    assert [label for label, _ in small_run.joined] == ["pairs"]


def test_a_second_run_computes_nothing_and_tells_its_observer(small_run: Outcome) -> None:
    kept: list[str] = []

    class Listener(Observer):
        def pass_kept(self, planned: Pass) -> None:
            kept.append(planned.label)

    runs = small_run.store.root.rsplit("/", 1)[0]
    again = run(small_run.plan.recipe.path, runs, workers=0, observer=Listener())
    assert again.computed == 0 and kept == [p.label for p in plan(small_run.plan.recipe.path).passes]
    assert again.plan.digest == small_run.plan.digest


def test_a_recipe_that_is_not_there(tmp_path: object) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: no such file"):
        plan(f"{tmp_path}/nowhere.yaml")


def test_workers_and_addresses_choose_the_executor(small_run: Outcome) -> None:
    recipe, store = small_run.plan.recipe, small_run.store
    assert isinstance(make_executor(recipe, store, 0, None), InlineExecutor)
    executor = make_executor(recipe, store, 3, None)
    assert isinstance(executor, RayExecutor) and executor.cpus == 3  # nothing is started yet
    executor.close()
    for workers, message in ((0, "runs without Ray"), (3, "on a cluster, its resources decide")):
        with pytest.raises(UsageError, match=message):
            make_executor(recipe, store, workers, "127.0.0.1:1")
