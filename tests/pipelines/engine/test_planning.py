"""Digests: what changes a pass, and what does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eyas.pipelines import plan
from eyas.pipelines.engine.planning import Plan

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


def test_help_imports_neither_torch_nor_ray() -> None:
    code = "import sys, pipelines.cli; print([m for m in ('torch', 'ray', 'pyarrow', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
