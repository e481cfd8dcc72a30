"""Products: nothing that a user has is deleted before its successor exists, and nothing ever that nobody named."""

from __future__ import annotations

import fcntl
import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Ran, digests

Eyas = Callable[..., Ran]
TINY = "{d_model: 16, d_ff: 16, layers: 1, head_dim: 8, ssm_heads: 2, ssm_head_dim: 8, ssm_state: 4, chunk_size: 8}"
STAGES = "\n  - language: {keep: [en], min_score: 0.3}\n  - exact_dedup\n"


def products(steps: int = 3, vocabulary: int = 400, rate: float = 0.001) -> str:
    """The part of a recipe that makes a tokenizer, shards and a model in a second or two."""
    return (
        f"tokenizer: {{vocab_sizes: [{vocabulary}]}}\nshards: {{sequence_length: 128}}\n"
        f"train: {{model: {TINY}, steps: {steps}, batch_size: 2, warmup_steps: 1, device: cpu, learning_rate: {rate}}}\n"
    )


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def made(eyas: Eyas, recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """The folder of a finished run with a model."""
    ran = eyas("run", recipe(stages=STAGES, products=products()), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    return tmp_path / "runs/small"


def again(eyas: Eyas, made: Path, file: Path, *options: str) -> Ran:
    ran = eyas("run", file, "--workers", "0", "--runs", made.parent, *options)
    assert ran.code == 0, ran.err
    return ran


def test_a_model_is_kept_when_an_option_changes_and_comes_back_with_it(
    eyas: Eyas, recipe: Callable[..., Path], made: Path
) -> None:
    old = tree(made / "model")
    file = recipe(stages=STAGES, products=products(rate=0.002))
    plan = eyas("plan", file, "--runs", made.parent)
    assert plan.code == 0 and "replaced; kept in previous/model-" in plan.out, plan.out
    data = json.loads(eyas("plan", file, "--runs", made.parent, "--json").out)
    (one,) = data["replaces"]
    assert one["product"] == "model" and one["bytes"] > 1000 and one["seconds"] > 0
    ran = again(eyas, made, file)
    assert "1 passes computed" in ran.out and "eyas clean" in ran.out
    (kept,) = [path for path in (made / "previous").iterdir() if path.is_dir()]
    assert tree(kept) == old and tree(made / "model")["model.safetensors"] != old["model.safetensors"]
    new = tree(made / "model")
    ran = again(eyas, made, recipe(stages=STAGES, products=products()))
    assert "0 passes computed" in ran.out
    assert tree(made / "model") == old
    (kept,) = [path for path in (made / "previous").iterdir() if path.is_dir()]
    assert tree(kept) == new


def test_all_products_are_replaced_together(eyas: Eyas, recipe: Callable[..., Path], made: Path) -> None:
    old = {name: tree(made / name) for name in ("tokenizer", "shards", "model")}
    again(eyas, made, recipe(stages=STAGES, products=products(vocabulary=450)))
    kept = {path.name.rpartition("-")[0]: path for path in (made / "previous").iterdir() if path.is_dir()}
    assert {name: tree(path) for name, path in kept.items()} == old
    assert eyas("generate", made, "The", "--max-tokens", "4").code == 0
    assert json.loads((made / "tokenizer/index.json").read_text())["vocab_sizes"] == [450]
    assert not list((made / ".building").iterdir())


def test_a_product_that_the_recipe_no_longer_names_stays_and_is_marked(
    eyas: Eyas, recipe: Callable[..., Path], made: Path
) -> None:
    old = {name: tree(made / name) for name in ("tokenizer", "shards", "model")}
    file = recipe(stages=STAGES, products="")
    assert "not in this recipe; stays" in eyas("plan", file, "--runs", made.parent).out
    ran = again(eyas, made, file)
    assert "not in this recipe: tokenizer/, shards/, model/" in ran.out
    assert {name: tree(made / name) for name in old} == old
    assert json.loads((made / "manifest.json").read_text())["not_in_recipe"] == ["tokenizer", "shards", "model"]
    assert not json.loads((made / "products/model.json").read_text())["in_recipe"]
    again(eyas, made, recipe(stages=STAGES, products=products()))
    assert json.loads((made / "products/model.json").read_text())["in_recipe"]


def test_the_folder_of_another_recipe_is_refused(
    eyas: Eyas, recipe: Callable[..., Path], made: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(recipe(stages=STAGES, products=products(steps=2)).read_text())
    recipe(stages=STAGES, products=products())
    before = tree(made)
    ran = eyas("run", other, "--workers", "0", "--runs", made.parent)
    assert ran.code == 8 and "made by another recipe" in ran.err and "small.yaml" in ran.err and "--replace" in ran.err
    assert tree(made) == before
    again(eyas, made, other, "--replace")
    same = tmp_path / "same.yaml"
    same.write_text(other.read_text())
    again(eyas, made, same)  # nothing would be replaced


def test_passes_may_be_deleted_at_any_time(eyas: Eyas, recipe: Callable[..., Path], made: Path) -> None:
    before = digests(made)
    shutil.rmtree(made / "passes")
    ran = again(eyas, made, recipe(stages=STAGES, products=products()))
    assert "0 passes computed" in ran.out and "exact_dedup" in ran.out and digests(made) == before
    assert eyas("report", made).code == 0
    shutil.rmtree(made / "passes", ignore_errors=True)
    ran = again(eyas, made, recipe(stages=STAGES, products=products(vocabulary=420)))
    assert "3 passes computed" in ran.out  # tokenizer, shards, model: the documents are read from curated/
    shutil.rmtree(made / "passes")
    shutil.rmtree(made / "ledger")
    again(eyas, made, recipe(stages=STAGES, products=products(vocabulary=420)))
    assert {k: v for k, v in digests(made).items() if k[:6] == "ledger"} == {
        k: v for k, v in before.items() if k[:6] == "ledger"
    }


def test_clean_deletes_what_was_replaced_and_nothing_else(eyas: Eyas, recipe: Callable[..., Path], made: Path) -> None:
    for rate in (0.002, 0.003):
        again(eyas, made, recipe(stages=STAGES, products=products(rate=rate)))
    (made / "notes.txt").write_text("mine")
    before = tree(made)
    ran = eyas("clean", made, "--dry-run", "--keep", "1")
    assert ran.code == 0 and "would be deleted" in ran.out and tree(made) == before
    assert eyas("clean", made, "--keep", "1").code == 0
    kept = [path.name for path in (made / "previous").iterdir() if path.is_dir()]
    assert len(kept) == 1
    with (made / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = eyas("clean", made)
        assert ran.code == 8 and "at work" in ran.err and len(list((made / "previous").iterdir())) == 2
    assert eyas("clean", made).code == 0 and not [p for p in (made / "previous").iterdir() if p.is_dir()]
    files = digests(made)
    assert eyas("clean", made, "--passes").code == 0 and not (made / "passes").exists()
    assert digests(made) == files and (made / "notes.txt").exists() and (made / "model/model.safetensors").exists()
    again(eyas, made, recipe(stages=STAGES, products=""))
    assert eyas("clean", made, "--unnamed").code == 0
    assert not (made / "model").exists() and (made / "curated").exists()
    assert eyas("clean", made.parent).code == 3


@pytest.mark.slow
def test_interrupted_at_20_moments_the_old_product_is_whole(
    eyas: Eyas, recipe: Callable[..., Path], made: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """SIGKILL while tokenizer, shards and model are remade: under the plain names lie the old ones or the new ones, whole."""
    names = ("tokenizer", "shards", "model")
    chance = random.Random(5)
    old = {name: tree(made / name) for name in names}
    swaps = kills = 0
    for attempt in range(20):
        file = recipe(stages=STAGES, products=products(vocabulary=401 + swaps, steps=40))
        process = start("run", file, "--workers", "0", "--runs", made.parent)
        time.sleep(chance.uniform(1.0, 9.0))
        kills += process.poll() is None
        process.kill()
        process.wait()
        now = {name: tree(made / name) for name in names}
        if (made / "swap.json").exists():
            continue  # the instant between two exchanges: the next run finishes the swap, which another test tries out
        is_new = [now[name]["model.safetensors" if name == "model" else "index.json"] for name in names] != [
            old[name]["model.safetensors" if name == "model" else "index.json"] for name in names
        ]
        if is_new:
            assert all(now[name] != old[name] for name in names), attempt
            old, swaps = now, swaps + 1
        assert now == old, attempt
        for name in names:
            for entry in json.loads((made / f"products/{name}.json").read_text())["result"]["files"]:
                path = made / entry["path"]
                assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], (attempt, path)
        assert eyas("generate", made, "The", "--max-tokens", "2").code == 0, attempt
    assert kills >= 5
    again(eyas, made, recipe(stages=STAGES, products=products(vocabulary=401 + swaps, steps=40)))
    assert not (made / "swap.json").exists()


@pytest.mark.parametrize("when", [pytest.param(n, marks=[] if n in (2, 5, 9) else pytest.mark.slow) for n in range(12)])
def test_killed_within_the_swap_the_next_run_finishes_it(
    eyas: Eyas, recipe: Callable[..., Path], made: Path, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of the swap may be the last one: every file operation in turn is where the run dies."""
    from eyas.corpus.store import Store
    from eyas.pipelines.engine import products as module

    old = {name: tree(made / name) for name in ("shards", "model")}
    left = [when]

    def dying(name: str) -> None:
        real = getattr(Store, name)

        def call(self: Store, *args: str) -> object:
            if module_busy[0]:
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
            return real(self, *args)

        monkeypatch.setattr(Store, name, call)

    module_busy = [False]
    real_swap = module._swap_one

    def swap_one(*args: object) -> None:
        module_busy[0] = True
        try:
            real_swap(*args)  # type: ignore[arg-type]
        finally:
            module_busy[0] = False

    monkeypatch.setattr(module, "_swap_one", swap_one)
    for name in ("write_json", "exchange", "move", "delete"):
        dying(name)
    file = recipe(stages=STAGES, products=products().replace("128", "64"))
    assert eyas("run", file, "--workers", "0", "--runs", made.parent).code in (0, 130)
    left[0] = -1
    for name in ("shards", "model"):
        assert (made / name).exists()
    again(eyas, made, file)
    kept = {path.name.rpartition("-")[0]: path for path in (made / "previous").iterdir() if path.is_dir()}
    assert {name: tree(path) for name, path in kept.items()} == old
    assert json.loads((made / "shards/index.json").read_text())["sequence_length"] == 64
