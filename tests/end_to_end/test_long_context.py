"""Long context through the command line: parents, spans and sentinels hold in what is published, killed or not."""

from __future__ import annotations

import json
import signal
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from harness import Ran, digests

from eyas.synthetic.long_context import fill_in_middle, join_repository, joined, reorder_segments
from eyas.tokenizer_train import Encoder

PACKAGES = ("asyncio", "json", "email", "importlib", "concurrent", "html", "logging")
BROKEN = '''
"""A joiner that cannot read one document and cannot join one group."""
import pyarrow as pa
from eyas.corpus import Joiner

STAGES = {"broken": "broken_joiner:Broken"}

class Broken(Joiner):
    """Joins by the first letter of a file's name."""
    def keys(self, docs, seed, total_bytes):
        names = [origin.rsplit("/", 1)[1] for origin in docs.column("origin").to_pylist()]
        if "decoder.py" in names:
            raise RuntimeError("no key for this one")
        return pa.array([[ord(name[0])] for name in names], pa.list_(pa.uint64()))

    def generate(self, docs, seed):
        if docs.column("origin")[0].as_py().rsplit("/", 1)[1].startswith("s"):
            raise RuntimeError("cannot be joined")
        text = "".join(docs.column("text").to_pylist())
        return pa.table({"text": [text], "parent": [docs.column("id").to_pylist()], "error": pa.nulls(1, pa.string())})
'''


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe over a few packages of the standard library."""
    code = tmp_path / "code"
    for package in PACKAGES:
        folder = Path(sysconfig.get_paths()["stdlib"]) / package
        for path in sorted(folder.rglob("*.py")):
            target = code / package / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())

    def recipe(stages: str, extra: str = "", products: str = "") -> Path:
        text = f"name: long\nseed: 3\npartition_bytes: 400KB\n{extra}\nsources:\n"
        text += f'  - name: code\n    files: {{path: {code}, glob: ["**/*.py"]}}\nstages:\n{stages}\n{products}'
        (tmp_path / "long.yaml").write_text(text.replace("ROOT", str(code)))
        return tmp_path / "long.yaml"

    return recipe


STAGES = """
  - join_repository: {root: ROOT, target_tokens: 20000, bucket_bytes: 500KB}
  - join_related: {target_tokens: 8000, min_share: 0.3, bucket_bytes: 500KB}
  - retrieval_task: {target_tokens: 16000, share: 0.5, bucket_bytes: 500KB}
  - reorder_segments: {rate: 0.3}
  - fill_in_middle: {rate: 0.5}
"""
PRODUCTS = "tokenizer: {vocab_sizes: [600]}\nshards: {sequence_length: 1024}\n"


@pytest.mark.slow
def test_the_same_bytes_whether_killed_or_not_and_all_can_be_undone(
    write: Callable[..., Path],
    eyas: Callable[..., Ran],
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    recipe = write(STAGES, products=PRODUCTS)
    ran = eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "undisturbed")
    assert ran.code == 0, ran.err
    run = tmp_path / "undisturbed/long"
    process = start("run", recipe, "--workers", "2", "--runs", tmp_path / "killed")
    while not list((tmp_path / "killed/long").glob("passes/*/entries/spread/*.json")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed/long/manifest.json").exists()
    again = eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "killed")
    assert again.code == 0, again.err
    assert digests(tmp_path / "killed/long") == digests(run)

    docs = ds.dataset(run / "curated", format="parquet").to_table()
    rows = docs.to_pylist()
    text_of = {row["id"]: undone(row) for row in rows}
    files = {str(path): path.read_text() for path in (tmp_path / "code").rglob("*.py") if path.stat().st_size}
    assert {row["origin"]: text_of[row["id"]] for row in rows if row["source"] == "code"} == files
    made = Counter(row["source"] for row in rows)
    assert set(made) == {"code", "join_repository", "join_related", "retrieval_task"}
    limits = {"join_repository": 60_000, "join_related": 24_000, "retrieval_task": 48_000}
    for row in rows:
        if row["source"] != "code":
            assert joined.restore(row["text"], row["spans"]) == [text_of[parent] for parent in row["parent"]]
            assert len(row["text"].encode()) <= limits[row["source"]]
        if row["source"] == "join_repository":
            name, inside = join_repository.restore(row["text"])
            assert [str(tmp_path / "code" / name / path) for path, _ in inside] == [
                next(r["origin"] for r in rows if r["id"] == parent) for parent in row["parent"]
            ]
    check_tokens(run, docs)


def undone(row: dict[str, object]) -> str:
    """A document as it was read: the last stage is undone first."""
    text = fill_in_middle.restore(str(row["text"]), row["fim"])  # type: ignore[arg-type]
    return reorder_segments.restore(text, row["segment_order"])  # type: ignore[arg-type]


def check_tokens(run: Path, docs: pa.Table) -> None:
    """Sentinels and marks are single tokens in the shards, as many as the stages put in."""
    encoder = Encoder.from_file(run / "tokenizer/tokenizer.json")
    wanted = Counter(mark for row in docs.to_pylist() for mark in row["control_tokens"] or [] if "fim" in mark)
    tokens: Counter[int] = Counter()
    for path in sorted((run / "shards").glob("*.arrow")):
        tokens.update(pa.ipc.open_file(path).read_all().column("input_ids").combine_chunks().flatten().to_pylist())
    assert {mark: tokens[encoder.control_id(mark)] for mark in wanted} == dict(wanted) and len(wanted) == 3
    repositories = sum(row["text"].startswith("<|repository|>") for row in docs.to_pylist())
    assert tokens[encoder.control_id("<|repository|>")] == repositories > 0


def test_what_raises_is_in_the_ledger_and_the_books_balance(
    write: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "broken_joiner.py").write_text(BROKEN)
    recipe = write("  - broken", extra="plugins: [broken_joiner]\ntolerance: 0.5")
    ran = eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    ledger = ds.dataset(tmp_path / "runs/long/ledger", format="parquet").to_table().to_pylist()
    mine = [row for row in ledger if row["stage"] == "broken"]
    failed = [row["detail"] for row in mine if row["kept"] is None]
    assert len(failed) == 2 and "no key for this one" in failed[0] and "cannot be joined" in failed[1]
    manifest = json.loads((tmp_path / "runs/long/manifest.json").read_text())
    books = next(p["books"]["broken"]["broken"] for p in manifest["passes"] if p["kind"] == "join")
    assert books["documents"] == len(mine) and books["quarantined"] == 2 and books["kept"] == len(mine) - 2
