"""What was kept is verified before it is reused, and inputs that change while a run reads them stop it.

The oracle is the undisturbed run: whatever bit is flipped, the next run must notice it and end in the same bytes.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import PRODUCTS, Ran, digests

from eyas.pipelines.api import run

STAGES = "\n  - exact_dedup\n  - minhash_dedup: {verify_jaccard: 0.7}\n  - gopher_repetition\n"


def flip(path: Path, rng: random.Random) -> None:
    """Flips one bit somewhere in a file."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))


@pytest.fixture(scope="module")
def made(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and its finished run."""
    folder = tmp_path_factory.mktemp("made")
    text = f"name: small\nseed: 3\npartition_bytes: 200KB\nsources:\n  - name: stdlib\n    jsonl: {{path: {corpus}}}\n"
    (folder / "small.yaml").write_text(f"{text}stages:{STAGES}{PRODUCTS}")
    run(str(folder / "small.yaml"), str(folder / "runs"), workers=0)
    return folder


@pytest.fixture
def finished(made: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return tmp_path / "runs/small"


KINDS = (
    "curated/*.parquet",
    "ledger/*.parquet",
    "tokenizer/tokenizer.json",
    "shards/*.arrow",
    "shards/index.json",
    "products/*.json",
    "manifest.json",
    "plan.json",
    "recipe.yaml",
)
NEEDED = (
    "passes/*/documents/*.parquet",
    "passes/*/masks/*.parquet",
    "passes/*/manifest.json",
    "passes/*/entries/*/*.json",
)
"""Files that are needed once a product is to be made again."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_what_is_kept_changes_nothing(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path, kind: str
) -> None:
    before, rng = digests(finished), random.Random(kind)
    for path in rng.sample(sorted(finished.glob(kind)), min(2, len(list(finished.glob(kind))))):
        flip(path, rng)
        ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
        assert ran.code == 0, ran.err
        assert digests(finished) == before
        written_again = kind in ("manifest.json", "plan.json", "recipe.yaml")
        assert written_again or f"{path}: damaged" in ran.out, (path, ran.out)
    again = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
    assert "0 passes computed" in again.out and "damaged" not in again.out


@pytest.mark.parametrize("kind", NEEDED)
def test_a_flipped_bit_in_a_part_is_not_carried_on(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path, kind: str
) -> None:
    """The first edition made other products of it, and ended with 0."""
    before, rng = digests(finished), random.Random(kind)
    for path in rng.sample(sorted(finished.glob(kind)), 4):
        flip(path, rng)
    # So that the passes are needed again.
    (finished / "curated/part-00000.parquet").unlink()
    ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert digests(finished) == before


def test_damage_in_a_replaced_product_leaves_the_one_in_use_alone(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path
) -> None:
    """Two damaged files of a kept product once took the record of the product in use with them."""
    first, options = digests(finished), ("--workers", "0", "--runs", tmp_path / "runs")
    file = made / "small.yaml"
    text = file.read_text()
    try:
        file.write_text(text.replace("vocab_sizes: [600, 1000]", "vocab_sizes: [700]"))
        assert eyas("run", file, *options).code == 0
        second = digests(finished)
        for victim in sorted(finished.glob("previous/tokenizer-*/*.json"))[:2]:
            flip(victim, random.Random(1))
        file.write_text(text)
        back = eyas("run", file, *options)
        assert back.code == 0 and back.out.count("damaged") == 2, back.out + back.err
        assert digests(finished) == first
        file.write_text(text.replace("vocab_sizes: [600, 1000]", "vocab_sizes: [700]"))
        again = eyas("run", file, *options)
        assert "0 passes computed" in again.out and digests(finished) == second
    finally:
        file.write_text(text)


def test_only_the_damaged_part_is_made_again(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path
) -> None:
    parts = sorted(finished.glob("passes/*/documents/*.parquet"))
    first = next(path.parent for path in parts)
    times = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    victim = sorted(times)[1]
    flip(victim, random.Random(1))
    ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and f"{victim}: damaged" in ran.out
    # The products are whole: the pass waits until something needs it.
    (finished / "curated/part-00000.parquet").unlink()
    ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    changed = [path for path in times if path.stat().st_mtime_ns != times[path]]
    assert changed == [victim]


def test_files_that_no_run_wrote_are_refused(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path
) -> None:
    stranger = finished / "curated/part-90000.parquet"
    stranger.write_bytes((finished / "curated/part-00000.parquet").read_bytes())
    ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 8 and "curated/part-90000.parquet: no run wrote this" in ran.err and "Move it" in ran.err
    stranger.unlink()
    (finished / "curated/notes.txt").write_text("a note is no document")
    assert eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs").code == 0


CHANGING = '''
"""A mapper that changes an input file while the run reads it."""
import os
from pathlib import Path
from eyas.corpus import Mapper

STAGES = {"meddle": "meddling_stage:Meddle"}

class Meddle(Mapper):
    """Appends to a file, writes it again, or deletes it, once."""
    file: str
    how: str
    def map(self, docs):
        path = Path(self.file)
        mark = path.with_suffix(".done")
        if not mark.exists():
            mark.touch()
            if self.how == "appended":
                with path.open("a") as file:
                    file.write('{"text": "one more record"}\\n')
            elif self.how == "rewritten":
                path.write_bytes(path.read_bytes())
                os.utime(path, (1, 1))
            else:
                path.unlink()
        return docs
'''


@pytest.mark.parametrize(
    ("how", "says"), [("appended", "changed"), ("rewritten", "written again"), ("deleted", "gone")]
)
@pytest.mark.parametrize("number", [0, 2])
def test_an_input_that_changes_while_the_run_goes_stops_it(
    eyas: Callable[..., Ran],
    recipe: Callable[..., Path],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    says: str,
    number: int,
) -> None:
    """File 0 changes while it is read, file 2 before it is opened."""
    (tmp_path / "in").mkdir()
    for file in corpus.iterdir():
        (tmp_path / "in" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "meddling_stage.py").write_text(CHANGING)
    monkeypatch.syspath_prepend(str(tmp_path))
    victim = tmp_path / f"in/{number}.jsonl"
    file = recipe(
        stages=f"\n  - meddle: {{file: {victim}, how: {how}}}\n",
        extra="plugins: [meddling_stage]",
        path=tmp_path / "in",
    )
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 3 and f"{victim}: " in ran.err and says in ran.err, ran.err
    assert not (tmp_path / "runs/small/curated").exists()
    if how != "deleted":
        again = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
        assert again.code == 0, again.err


def test_a_damaged_cost_ledger_is_kept_and_reported(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path
) -> None:
    """A bit of its footer once ended the run in a defect, and one of a page lost the earlier costs without a word."""
    cost = finished / "cost.parquet"
    whole = cost.read_bytes()
    for place in (whole.index(b"session"), 40):
        cost.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        broken = cost.read_bytes()
        ran = eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs")
        assert ran.code == 0, ran.err
        assert "cost.parquet: damaged" in ran.out and (finished / "cost.parquet.damaged").read_bytes() == broken


def test_temporary_files_of_killed_tasks_are_removed_by_the_next_run(
    eyas: Callable[..., Ran], finished: Path, made: Path, tmp_path: Path
) -> None:
    left = finished / "curated/part-00000.parquet.0a1b2c3d.tmp"
    left.write_bytes(b"half")
    mine = finished / "notes.tmp"
    mine.write_text("mine")
    assert eyas("run", made / "small.yaml", "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert not left.exists() and mine.exists()
