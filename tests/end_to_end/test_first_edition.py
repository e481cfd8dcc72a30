"""What the first edition (commit d6b3f67) left is read, converted, or refused with the command that helps."""

from __future__ import annotations

import fcntl
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from harness import Ran, digests
from safetensors.numpy import load_file

ARCHIVE = Path(__file__).parents[1] / "first_edition/first.tar.xz"
# Digests of passes hold the inputs' absolute paths and times: the run is only known where it was made.
HOME = Path("/tmp/eyas-first-edition")


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run folder, its recipe, plugin and input, as the first edition left them; the plugin still imports `corpus`."""
    with (HOME.parent / "eyas-first-edition.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(HOME, ignore_errors=True)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(HOME, filter="data")
        monkeypatch.chdir(HOME)
        yield HOME
        shutil.rmtree(HOME)


@pytest.fixture
def migrated(first: Path, eyas: Callable[..., Ran]) -> Path:
    """The same, after `eyas migrate`."""
    ran = eyas("migrate", "recipe.yaml", "runs/first")
    assert ran.code == 0, ran.err
    return first


def run(eyas: Callable[..., Ran], *options: str) -> Ran:
    return eyas("run", "recipe.yaml", "--workers", "0", *options)


def test_a_plugin_of_the_first_edition_is_refused_with_the_command_that_converts_it(
    first: Path, eyas: Callable[..., Ran]
) -> None:
    ran = run(eyas)
    assert ran.code == 3 and "eyas migrate my_stages.py" in ran.err
    looked = eyas("migrate", "my_stages.py", "--dry-run")
    assert looked.code == 0 and "imports" in looked.out
    assert "from corpus import" in Path("my_stages.py").read_text()
    assert eyas("migrate", "my_stages.py").code == 0
    text = Path("my_stages.py").read_text()
    assert "from eyas.corpus import Filter" in text and "scores_all: ClassVar" in text
    assert "nothing to convert" in eyas("migrate", "my_stages.py").out


def test_a_finished_run_is_kept_whole(migrated: Path, eyas: Callable[..., Ran]) -> None:
    before = digests(migrated / "runs/first")
    ran = run(eyas)
    assert ran.code == 0, ran.err
    assert "0 passes computed, 9 kept" in ran.out
    assert digests(migrated / "runs/first") == before
    plan = json.loads(Path("runs/first/plan.json").read_text())
    assert plan["format"] == "eyas-run-2"


def test_a_run_that_was_not_converted_is_read_too(first: Path, eyas: Callable[..., Ran]) -> None:
    assert eyas("migrate", "my_stages.py").code == 0
    assert "0 passes computed, 9 kept" in run(eyas).out


def test_a_run_that_was_interrupted_goes_on_to_the_same_bytes(migrated: Path, eyas: Callable[..., Ran]) -> None:
    whole = digests(migrated / "runs/first")
    curated = {str(path): pq.read_table(path) for path in sorted(Path("runs/first/curated").iterdir())}
    passes = json.loads(Path("runs/first/plan.json").read_text())["passes"]
    for p in passes:
        if p["label"] in ("minhash_dedup", "rewrite"):
            (migrated / "runs/first" / p["folder"] / "manifest.json").unlink()
    shutil.rmtree("runs/first/shards")
    shutil.rmtree("runs/first/curated")
    ran = run(eyas)
    assert ran.code == 0, ran.err
    assert "4 passes computed, 5 kept" in ran.out
    # Parquet has page checksums since: the same documents, other bytes.
    tables = {str(path): pq.read_table(path) for path in sorted(Path("runs/first/curated").iterdir())}
    assert tables == curated
    others = {path: digest for path, digest in whole.items() if not path.startswith("curated/")}
    assert {p: d for p, d in digests(migrated / "runs/first").items() if not p.startswith("curated/")} == others


def test_answers_that_were_bought_are_not_bought_again(migrated: Path, eyas: Callable[..., Ran]) -> None:
    passes = json.loads(Path("runs/first/plan.json").read_text())["passes"]
    shutil.rmtree(Path("runs/first") / next(p for p in passes if p["label"] == "rewrite")["folder"])
    shutil.rmtree("runs/first/curated")  # otherwise, nothing needs the pass
    ran = run(eyas)  # nothing answers at its endpoint
    assert ran.code == 0, ran.err
    assert "0 answers bought, 3 known before" in ran.out


def test_its_index_its_scores_and_its_ledger_answer(migrated: Path, eyas: Callable[..., Ran]) -> None:
    assert "gopher_below_alpha_threshold" in eyas("explain", "runs/first", "0").out + eyas(
        "report", "runs/first"
    ).out + (Path("runs/first/report.html").read_text())
    what_if = eyas("what-if", "runs/first", "gopher_quality.min_doc_words=60")
    assert what_if.code == 0 and "gopher_short_doc" in what_if.out, what_if.err
    Path("later.yaml").write_text(
        "name: later\nsources:\n  - {name: pages, jsonl: {path: input}}\n"
        "stages:\n  - minhash_dedup: {against: [runs/first]}\n"
    )
    later = eyas("run", "later.yaml", "--workers", "0")
    assert later.code == 0, later.err
    # All that the first run kept is known.
    assert "near_duplicate" in later.out


def test_its_shards_and_model_are_read(migrated: Path, eyas: Callable[..., Ran]) -> None:
    assert eyas("shards", "check", "runs/first").code == 0
    continued = eyas("generate", "runs/first", "The", "--max-tokens", "3")
    assert continued.code == 0, continued.err


def test_a_training_goes_on_from_its_checkpoint(migrated: Path, eyas: Callable[..., Ran]) -> None:
    model = migrated / "runs/first/model"
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    shutil.rmtree(model / "checkpoints/step-00000004")
    passes = json.loads(Path("runs/first/plan.json").read_text())["passes"]
    for entry in (migrated / "runs/first" / passes[-1]["folder"]).rglob("*.json"):
        entry.unlink()
    ran = run(eyas)
    assert ran.code == 0, ran.err
    assert "1 passes computed" in ran.out
    lines = [json.loads(line) for line in (model / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    # The stored weights were made on another machine, whose processor may round the last bit in another way.
    again = load_file(model / "model.safetensors")
    assert again.keys() == weights.keys()
    assert all(np.allclose(again[name], weights[name], rtol=1e-5, atol=1e-6) for name in weights)


def test_a_run_of_a_later_edition_is_refused(migrated: Path, eyas: Callable[..., Ran]) -> None:
    plan = json.loads(Path("runs/first/plan.json").read_text())
    Path("runs/first/plan.json").write_text(json.dumps({**plan, "format": "eyas-run-9"}))
    ran = eyas("report", "runs/first")
    assert ran.code == 3 and "eyas-run-9" in ran.err
