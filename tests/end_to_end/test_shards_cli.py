"""`eyas shards …`, `eyas pack`, `eyas explain --step`, training on a mixture: as a user types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from harness import Ran

from eyas.pipelines.api import run
from eyas.shards import ShardLoader
from eyas.shards.options import Phase

Eyas = Callable[..., Ran]

RECIPE = """
name: mixed
seed: 3
partition_bytes: 60KB
sources:
  - name: one
    jsonl: {path: PLACE/one}
  - name: two
    jsonl: {path: PLACE/two}
stages:
  - exact_dedup
tokenizer: {vocab_sizes: [700]}
shards: {sequence_length: 64, group_bytes: 100KB}
train:
  preset: tiny
  steps: 4
  batch_size: 4
  checkpoint_every: 2
  model: {layers: 1, d_model: 64}
  mixture: [{weights: {one: 0.25, two: 0.75}}, {from_step: 2, weights: {one: 1}}]
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two sources."""
    place = tmp_path_factory.mktemp("shards-cli")
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list("abcdefgh"), 4)) for _ in range(300)]
    for name in ("one", "two"):
        (place / name).mkdir()
        lines = [
            json.dumps({"text": f"{name} " + " ".join(chance.choice(words, chance.integers(3, 60)))})
            for _ in range(400)
        ]
        (place / name / "docs.jsonl").write_text("\n".join(lines))
    (place / "r.yaml").write_text(RECIPE.replace("PLACE", str(place)))
    run(str(place / "r.yaml"), str(place / "runs"), workers=0)
    return place / "runs/mixed"


@pytest.fixture
def folder(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(run_folder, tmp_path / "mixed"))


def test_check_and_show(eyas: Eyas, run_folder: Path) -> None:
    checked = eyas("shards", "check", run_folder)
    assert checked.code == 0, checked.err
    assert "800 documents" in checked.out and "all as promised" in checked.out
    shown = eyas("shards", "show", run_folder / "shards")
    assert shown.code == 0 and "eyas-shard-2, rows of 64 uint16, best_fit" in shown.out
    assert "one" in shown.out and "two" in shown.out


def test_check_names_every_problem_and_fails(eyas: Eyas, folder: Path) -> None:
    path = folder / "shards/train-00001.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (folder / "shards/train-00000.arrow").unlink()
    checked = eyas("shards", "check", folder)
    assert checked.code == 1
    assert "train-00000.arrow: missing" in checked.out and "train-00001.arrow: damaged" in checked.out
    assert "2 of" in checked.err and "do not keep what index.json promises" in checked.err


def test_training_refuses_damaged_shards_and_another_tokenizer(eyas: Eyas, folder: Path, tmp_path: Path) -> None:
    tokenizer = folder / "tokenizer/tokenizer.json"
    whole = tokenizer.read_bytes()
    tokenizer.write_bytes(whole + b" ")
    ran = eyas("train", folder, "--out", tmp_path / "m", "--steps", "1", "--batch-size", "2")
    assert ran.code == 3 and "another tokenizer" in ran.err and "tokenizer.json" in ran.err
    tokenizer.write_bytes(whole)
    path = folder / "shards/train-00000.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ran = eyas("train", folder, "--out", tmp_path / "m", "--steps", "1", "--batch-size", "2")
    assert ran.code == 3 and "train-00000.arrow: damaged" in ran.err
    assert not (tmp_path / "m").exists()


def test_the_mixture_is_what_was_trained_on_and_the_report_tells(run_folder: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text())
    summary = next(p["summary"] for p in manifest["passes"] if p["kind"] == "model")
    assert {one["source"]: one["rows"] for one in summary["sources"]} == {"one": 10, "two": 6}
    phases = [Phase(weights={"one": 0.25, "two": 0.75}), Phase(from_step=2, weights={"one": 1})]
    loader = ShardLoader(str(run_folder / "shards"), 4, seed=3, mixture=phases)
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    assert summary["order_hash"] == loader.order_hash
    report = (run_folder / "report.html").read_text()
    assert loader.order_hash in report and "greedy cropping" in report and "memorisation window" not in report


def test_a_step_leads_back_to_its_documents(eyas: Eyas, run_folder: Path) -> None:
    ran = eyas("explain", run_folder, "--step", "4", "--json")
    assert ran.code == 0, ran.err
    seen = json.loads(ran.out)
    assert len(seen["rows"]) == 4
    assert {one["source"] for one in seen["documents"]} == {"one"}  # by then weights have changed
    curated = {}
    for path in (run_folder / "curated").glob("*.parquet"):
        curated.update({row["id"]: row for row in pq.read_table(path).to_pylist()})
    for one in seen["documents"]:
        assert one["origin"] == curated[one["id"]]["origin"]
        assert curated[one["id"]]["text"].startswith(one["excerpt"])
        assert [decision["stage"] for decision in one["decisions"]] == ["read", "exact_dedup"]
    phases = [Phase(weights={"one": 0.25, "two": 0.75}), Phase(from_step=2, weights={"one": 1})]
    batch = ShardLoader(str(run_folder / "shards"), 4, seed=3, mixture=phases).batch(3)
    assert [piece["document"] for piece in seen["pieces"]] == [i for row in batch.documents for i in row]
    table = eyas("explain", run_folder, "--step", "1")
    assert table.code == 0 and "step 1: 4 rows" in table.out and "docs.jsonl" in table.out
    assert "say what to explain" in eyas("explain", run_folder, "--step", "1", "7").err
    assert "say what to explain" in eyas("explain", run_folder).err
    assert "trains for 4 steps" in eyas("explain", run_folder, "--step", "5").err


def test_packed_once_more_in_rows_of_another_length(eyas: Eyas, folder: Path) -> None:
    before = (folder / "shards/index.json").read_bytes()
    ran = eyas("pack", folder, "--sequence-length", "32", "--packing", "concat", "--workers", "0")
    assert ran.code == 0, ran.err
    assert "greedy cropping" in ran.out and "shards-32" in ran.out
    assert (folder / "shards/index.json").read_bytes() == before
    again, first = json.loads((folder / "shards-32/index.json").read_text()), json.loads(before)
    assert (again["sequence_length"], again["packing"]) == (32, "concat")
    assert (again["tokens"], again["text_bytes"]) == (first["tokens"], first["text_bytes"])
    assert eyas("shards", "check", folder / "shards-32").code == 0
    assert "begins with shards-" in eyas("pack", folder, "--name", "curated", "--workers", "0").err
    assert "--name shards-NAME" in eyas("pack", folder, "--out", "shards-x").err


def test_exported(eyas: Eyas, run_folder: Path, tmp_path: Path) -> None:
    ran = eyas("shards", "export", run_folder, "--to", "datatrove", "--out", tmp_path / "x/train")
    assert ran.code == 0, ran.err
    tokens = json.loads((run_folder / "shards/index.json").read_text())["tokens"]
    assert (tmp_path / "x/train.ds").stat().st_size == 2 * tokens
    assert f"{tokens:,} tokens" in ran.out
    assert "'megatron', 'datatrove'" in eyas("shards", "export", run_folder, "--to", "x", "--out", "y").err


def test_a_mixture_is_planned_with_its_epochs(eyas: Eyas, run_folder: Path) -> None:
    more = ["--steps", "200", "--batch-size", "8", "--parameters", "1000000"]
    ran = eyas("shards", "mix", run_folder, "--weight", "one=3", "--weight", "two=1", *more)
    assert ran.code == 0, ran.err
    assert "epochs" in ran.out and "memorisation window" in ran.out
    for weight, told in (("three=1", "names 'three'"), ("one", "expected SOURCE=SHARE"), ("one=-1", "above 0")):
        assert told in eyas("shards", "mix", run_folder, "--weight", weight, *more).err


def test_packed_again_after_the_sources_changed(eyas: Eyas, run_folder: Path, tmp_path: Path) -> None:
    """Entries of an earlier call are of other documents: they must not be taken for these."""
    place = tmp_path / "again"
    shutil.copytree(run_folder.parent.parent, place, ignore=shutil.ignore_patterns("runs"))
    text = (
        (place / "r.yaml")
        .read_text()
        .split("train:")[0]
        .replace("100KB", "30KB")
        .replace(str(run_folder.parent.parent), str(place))
    )
    (place / "r.yaml").write_text(text)

    def pack() -> dict[str, object]:
        run(str(place / "r.yaml"), str(place / "runs"), workers=0)
        ran = eyas("pack", place / "runs/mixed", "--sequence-length", "32", "--workers", "0")
        assert ran.code == 0, ran.err
        checked = eyas("shards", "check", place / "runs/mixed/shards-32")
        assert checked.code == 0, checked.out
        index: dict[str, object] = json.loads((place / "runs/mixed/shards-32/index.json").read_text())
        return index

    before = pack()
    docs = place / "two/docs.jsonl"
    docs.write_text("\n".join(docs.read_text().replace("two ", "2 ").splitlines()[:50]))
    after = pack()
    assert len(after["files"]) < len(before["files"])
    on_disk = {path.name for path in (place / "runs/mixed/shards-32").iterdir()}
    assert on_disk == {"index.json", *(file["path"] for file in after["files"])}


def test_a_mixture_of_unknown_sources_is_refused_before_anything_runs(
    eyas: Eyas, run_folder: Path, tmp_path: Path
) -> None:
    recipe = (run_folder / "recipe.yaml").read_text()
    changes = {"{one: 1}}]": "there is no source 'nosuch'", "from_step: 2": "begin at steps [0, 0]"}
    for what, told in changes.items():
        (tmp_path / "r.yaml").write_text(recipe.replace(what, what.replace("one", "nosuch").replace("2", "0")))
        ran = eyas("plan", tmp_path / "r.yaml", "--runs", tmp_path)
        assert ran.code == 3 and told in ran.err and "r.yaml" in ran.err
