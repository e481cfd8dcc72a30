"""Checks of shards: good sets pass, and every broken promise is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from shard_sets import META, packed, rows_by_hand

from eyas.corpus.store import Store
from eyas.shards import ShardLoader
from eyas.shards.check import check_set
from eyas.shards.format import Index, IndexedFile, ShardMeta, row_batch, write_shard
from eyas.shards.options import ShardOptions

TEXTS = ["the cat sat on the mat " * (i % 7 + 1) for i in range(60)]


def problems(folder: Path) -> list[str]:
    store = Store(str(folder))
    return [problem for checked in check_set(store, Index.load(store)) for problem in checked.problems]


@pytest.mark.parametrize("packing", ["best_fit", "first_fit", "concat"])
@pytest.mark.parametrize(("bos", "eos"), [(True, True), (False, True), (True, False), (False, False)])
def test_what_packing_writes_keeps_every_promise(tmp_path: Path, packing: str, bos: bool, eos: bool) -> None:
    options = ShardOptions(sequence_length=32, packing=packing, bos=bos, eos=eos, group_bytes=900)
    index, _, _ = packed(tmp_path, TEXTS, options, [20, 40])
    assert len(index.files) > 1
    assert problems(tmp_path / "shards") == []


# Two rows of eight tokens: documents 5 (three tokens) and 6 (five), 7 (ten, in two pieces, the second in row 1).
IDS = np.array([[1, 9, 11, 1, 8, 8, 8, 11], [1, 2, 3, 4, 5, 6, 11, 0]])
LENGTHS, DOCUMENTS, OFFSETS = [3, 5, 7], [5, 6, 7], [0, 0, 0]


def written(
    folder: Path,
    change: Callable[[dict[str, np.ndarray]], None] = lambda columns: None,
    entry: Callable[[IndexedFile], IndexedFile] = lambda file: file,
) -> Path:
    columns = {
        "ids": IDS.copy(),
        "counts": np.array([2, 1]),
        "lengths": np.array(LENGTHS),
        "documents": np.array(DOCUMENTS, np.uint64),
        "offsets": np.array(OFFSETS),
    }
    change(columns)
    store = Store(str(folder))
    file = write_shard(store, "train-00000.arrow", META, "s", [row_batch(META, "s", **columns)])
    indexed = entry(IndexedFile(file.path, "s", 2, 3, 15, 15, file.bytes, file.sha256))
    store.write_json("index.json", Index(META, (indexed,)).to_json())
    return folder


def put(name: str, at: object, value: object) -> Callable[[dict[str, np.ndarray]], None]:
    def change(columns: dict[str, np.ndarray]) -> None:
        columns[name][at] = value

    return change


def test_the_set_that_is_damaged_below_is_good(tmp_path: Path) -> None:
    assert problems(written(tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("ids", (1, 1), 1000), "row 1: id 1000 is outside the vocabulary of 1,000"),
        (put("ids", (0, 0), 7), "row 0: the token that begins documents (1) is missing"),
        (put("ids", (0, 3), 7), "row 0: the token that begins documents (1) is missing"),
        (put("ids", (1, 4), 1), "row 1: the token that begins documents (1) stands inside of one"),
        (put("ids", (0, 7), 8), "document 6: does not end with the token that ends documents (11)"),
        (put("ids", (0, 5), 11), "rows from 0 on: the token that ends documents (11) stands inside of one"),
        (put("ids", (1, 3), 0), "row 1: padding before the padding at its end"),
        (put("ids", (1, 7), 5), "row 1: something else in the padding at its end"),
        (put("lengths", 2, 9), "row 1: its pieces add up to 9 tokens"),
        (put("lengths", 1, 0), "row 0: a piece of 0 tokens"),
        (put("lengths", 2, 6), "14 tokens, but index.json states 15"),
        (put("documents", 1, 5), "document 5: a piece begins at its token 0, expected 3"),
        (put("documents", 1, 5), "2 documents, but index.json states 3"),
        (put("offsets", 2, 2), "document 7: a piece begins at its token 2, expected 0"),
    ],
)
def test_a_broken_promise_is_reported(
    tmp_path: Path, change: Callable[[dict[str, np.ndarray]], None], message: str
) -> None:
    assert message in problems(written(tmp_path, change))


def test_a_document_that_would_fit_is_not_to_be_split(tmp_path: Path) -> None:
    def change(columns: dict[str, np.ndarray]) -> None:
        columns["documents"][:] = [5, 6, 6]
        columns["offsets"][:] = [0, 0, 5]
        columns["ids"][0, 7], columns["ids"][1, 0] = 8, 7
        columns["lengths"][2], columns["ids"][1] = 3, [7, 7, 11, 0, 0, 0, 0, 0]

    folder = written(tmp_path, change, lambda file: replace(file, documents=2, tokens=11))
    assert problems(folder) == ["a document that would fit into a row is split"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda f: replace(f, rows=3), "2 rows, but index.json states 3"),
        (lambda f: replace(f, documents=4), "3 documents, but index.json states 4"),
        (lambda f: replace(f, source="t"), "its metadata is not the index's: it belongs to another set"),
        (lambda f: replace(f, bytes=f.bytes + 1), "bytes, but index.json states"),
        (lambda f: replace(f, sha256="0" * 64), "damaged: its sha256 is"),
    ],
)
def test_an_index_that_differs_is_reported(
    tmp_path: Path, entry: Callable[[IndexedFile], IndexedFile], message: str
) -> None:
    assert any(message in problem for problem in problems(written(tmp_path, entry=entry)))


def test_record_batches_of_another_size_are_reported(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    rows_by_hand(tmp_path / "good", [600])
    with pa.memory_map(str(tmp_path / "good/train-00000.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    with store.create("train-00000.arrow") as output, pa.ipc.new_file(output.sink, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=100)
    file, data = output.published(), json.loads((tmp_path / "good/index.json").read_text())
    entry = IndexedFile(**{**data["files"][0], "bytes": file.bytes, "sha256": file.sha256})
    store.write_json("index.json", Index(META, (entry,)).to_json())
    assert "record batch 0 has 100 rows, not 256" in problems(tmp_path)
    with pytest.raises(ValueError, match=r"train-00000\.arrow: holds 600 rows"):
        ShardLoader(str(tmp_path), 1).batch(0)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("where", ["ids", "end", "begin"])
def test_one_flipped_bit_is_refused_before_the_first_batch(tmp_path: Path, where: str) -> None:
    index = rows_by_hand(tmp_path, [5, 700])
    path = tmp_path / index.files[1].path
    size = path.stat().st_size
    flip(path, {"ids": size // 2, "end": size - 3, "begin": 9}[where])
    with pytest.raises(ValueError, match=r"train-00001\.arrow: damaged: its sha256 is"):
        ShardLoader(str(tmp_path), 1, verify="full")
    assert any("damaged" in problem for problem in problems(tmp_path))
    # Each rank reads its share, and together they find it.
    with pytest.raises(ValueError, match=r"train-00001\.arrow"):
        for rank in range(2):
            ShardLoader(str(tmp_path), 2, rank=rank, world_size=2, verify="full")


def test_a_missing_and_a_cut_file_are_refused_at_once(tmp_path: Path) -> None:
    index = rows_by_hand(tmp_path, [5, 7])
    path = tmp_path / index.files[1].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"train-00001\.arrow: .* cut short, or of another set"):
        ShardLoader(str(tmp_path), 1)
    path.unlink()
    with pytest.raises(ValueError, match=r"train-00001\.arrow: missing, but index\.json names it"):
        ShardLoader(str(tmp_path), 1)


def test_the_index_of_another_run_is_refused(tmp_path: Path) -> None:
    rows_by_hand(tmp_path / "a", [5, 7])
    rows_by_hand(tmp_path / "b", [5, 7], replace(META, recipe="other"))
    (tmp_path / "b/index.json").rename(tmp_path / "a/index.json")
    with pytest.raises(ValueError, match=r"train-00000\.arrow"):
        ShardLoader(str(tmp_path / "a"), 1, verify="full")
    assert len(problems(tmp_path / "a")) == 2


def test_impossible_bounds_are_refused_and_not_followed(tmp_path: Path) -> None:
    """Kernels read where a file says: a flipped bit of a list's bound must not lead them out of it."""
    index = rows_by_hand(tmp_path, [300])
    path = tmp_path / index.files[0].path
    damaged = bytearray(path.read_bytes())
    bounds = np.arange(0, 2 * 257, 2, dtype=np.int32).tobytes()
    damaged[damaged.index(bounds) + 4 * 100 + 3] ^= 0x40
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"train-00000\.arrow: damaged: record batch 0"):
        ShardLoader(str(tmp_path), 1).batch(0)


def test_documents_without_tokens_are_no_broken_promise(tmp_path: Path) -> None:
    packed(tmp_path, ["the cat", "", "the mat"], ShardOptions(sequence_length=16, bos=False, eos=False))
    assert problems(tmp_path / "shards") == []


def test_metadata_of_another_make_is_a_problem_and_no_crash() -> None:
    for metadata in ('{"format": "eyas-shard-2"}', "[]"):
        with pytest.raises(ValueError, match="`eyas` metadata is"):
            ShardMeta.of(META.schema("s").with_metadata({"eyas": metadata}), "x")
