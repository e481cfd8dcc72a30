"""Digests: what changes a pass, and what does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.pipelines import plan
from eyas.pipelines.engine.planning import Plan, make_plan, plan_of_run
from eyas.pipelines.recipe.recipe import load

RECIPE = """
name: x
seed: {seed}
partition_bytes: 100
sources:
  - name: a
    files: {{path: {path}, glob: ["*.txt"]}}
stages:
  - gopher_quality: {{min_doc_words: {words}}}
  - exact_dedup
  - gopher_quality
tokenizer: {{vocab_sizes: [{size}]}}
"""


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Plan]:
    """A plan of the recipe with some values changed."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.txt").write_text(name * 60)

    def make(seed: int = 1, words: int = 50, size: int = 1000) -> Plan:
        (tmp_path / "r.yaml").write_text(RECIPE.format(seed=seed, words=words, size=size, path=tmp_path / "in"))
        return plan(str(tmp_path / "r.yaml"))

    return make


def digests(found: Plan) -> list[str]:
    """Digests of the passes, in order."""
    return [p.digest for p in found.passes]


def test_passes_are_fused_and_labelled(planned: Callable[..., Plan]) -> None:
    labels = [p.label for p in planned().passes]
    assert labels == [
        "read → gopher_quality",
        "exact_dedup",
        "gopher_quality#2",
        "curated documents",
        "ledger",
        "tokenizer",
    ]


def test_the_same_recipe_has_the_same_digests(planned: Callable[..., Plan]) -> None:
    assert digests(planned()) == digests(planned())


def test_an_option_changes_its_pass_and_those_that_follow(planned: Callable[..., Plan]) -> None:
    base = digests(planned())
    assert all(a != b for a, b in zip(base, digests(planned(words=51)), strict=True))
    other = digests(planned(size=1001))
    assert other[:5] == base[:5] and other[5] != base[5]


def test_a_seed_changes_what_depends_on_chance(planned: Callable[..., Plan]) -> None:
    base, other = digests(planned()), digests(planned(seed=2))
    assert base[0] == other[0] and base[5] != other[5]


def test_a_changed_file_changes_everything_and_partitions_hold_all_files(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    before = planned()
    assert [len(p.splits) for p in before.partitions] == [1, 1, 1]
    (tmp_path / "in/b.txt").write_text("changed, and of another size")
    after = planned()
    assert all(a != b for a, b in zip(digests(before), digests(after), strict=True))
    assert [len(p.splits) for p in after.partitions] == [2, 1]


def test_the_plan_of_a_run_is_that_of_its_files_though_its_sources_are_gone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("some text")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: r\nsources:\n  - name: one\n    files: {{path: {tmp_path}/in}}\nstages: [gopher_quality, exact_dedup]\n"
    )
    made = make_plan(load(str(recipe)))
    store = Store(str(tmp_path / "run"))
    store.write_json("plan.json", made.to_json())
    (tmp_path / "run/recipe.yaml").write_text(made.recipe.text)
    shutil.rmtree(tmp_path / "in")
    read = plan_of_run(store)
    assert read.to_json() == made.to_json()
    assert (read.partitions, read.passes, read.digest) == (made.partitions, made.passes, made.digest)


def test_a_plan_of_another_recipe_or_a_later_format_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with pytest.raises(InputError, match="not the folder of a run"):
        plan_of_run(store)
    stored = {"variables": {}, "folder": str(tmp_path), "files": 0, "partitions": [], "passes": []}
    (tmp_path / "recipe.yaml").write_text("name: r\nsources: [{name: one, files: {path: in}}]\n")
    store.write_json("plan.json", stored)
    with pytest.raises(InputError, match="do not belong together"):
        plan_of_run(store)
    store.write_json("plan.json", {**stored, "format": "eyas-run-9"})
    with pytest.raises(InputError, match="eyas-run-9"):
        plan_of_run(store)
