"""Shards in the formats of other trainers, read back by plain NumPy as their documentation says, and by datatrove itself."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from shard_sets import META, packed, rows_by_hand, tokenizer

from eyas.corpus.store import Store
from eyas.shards.export import export
from eyas.shards.options import ShardOptions
from eyas.tokenizer_train import Encoder

TEXTS = ["the cat sat on the mat and then " * (i % 9 + 1) for i in range(50)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """A folder with shards of several files, and the tokens of its documents by id."""
    folder = tmp_path_factory.mktemp("export")
    _, _, by_id = packed(folder, TEXTS, ShardOptions(sequence_length=48, group_bytes=2000), [10, 30])
    encoder = Encoder.from_bytes(tokenizer())
    ids = encoder.encode(pa.array([by_id[i] for i in sorted(by_id)], pa.large_string())).to_pylist()
    return folder, [[1, *tokens, 11] for tokens in ids]


def read_megatron(prefix: Path) -> list[list[int]]:
    """As Megatron-LM's indexed dataset lays it out, version 1."""
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", index, 9)
    assert (version, documents) == (1, sequences + 1)
    kind = {8: np.uint16, 4: np.int32}[code]
    at = 9 + struct.calcsize("<QBQQ")
    lengths = np.frombuffer(index, np.int32, sequences, at)
    starts = np.frombuffer(index, np.int64, sequences, at + 4 * sequences)
    bounds = np.frombuffer(index, np.int64, documents, at + 12 * sequences)
    assert len(index) == at + 12 * sequences + 8 * documents
    assert bounds.tolist() == list(range(documents))
    data = prefix.with_suffix(".bin").read_bytes()
    return [np.frombuffer(data, kind, n, s).tolist() for n, s in zip(lengths.tolist(), starts.tolist(), strict=True)]


def test_megatron_gives_every_document_back(exported: tuple[Path, list[list[int]]], tmp_path: Path) -> None:
    folder, documents = exported
    written = export(Store(str(folder / "shards")), Store(str(tmp_path)), "train", "megatron")
    assert written.paths == ("train.bin", "train.idx")
    assert read_megatron(tmp_path / "train") == documents
    assert (written.documents, written.tokens) == (len(documents), sum(map(len, documents)))


def test_datatrove_reads_its_own_format(exported: tuple[Path, list[list[int]]], tmp_path: Path) -> None:
    from datatrove.utils.dataset import DatatroveFileDataset

    folder, documents = exported
    export(Store(str(folder / "shards")), Store(str(tmp_path)), "train", "datatrove")
    flat = [token for document in documents for token in document]
    dataset = DatatroveFileDataset(str(tmp_path / "train.ds"), seq_len=15, token_size=2, return_positions=True)
    rows = [dataset[i] for i in range(len(dataset))]
    assert np.concatenate([row["input_ids"] for row in rows]).tolist() == flat[: 16 * len(rows)]
    # Positions start anew at documents, and at datatrove's own windows of 16.
    begins = {0, *np.cumsum([len(document) for document in documents]).tolist()}
    for number, row in enumerate(rows):
        wanted: list[int] = []
        for place in range(16 * number, 16 * number + 16):
            wanted.append(0 if place in begins or not wanted else wanted[-1] + 1)
        assert row["positions"].tolist() == wanted
    first, tokens, _ = (tmp_path / "train.ds.metadata").read_text().split("\n")
    assert first.endswith("|2") and int(tokens) == len(flat)


def test_larger_vocabularies_take_four_bytes(tmp_path: Path) -> None:
    rows_by_hand(tmp_path / "s", [3], replace(META, vocab_size=100_000))
    export(Store(str(tmp_path / "s")), Store(str(tmp_path)), "x", "megatron")
    documents = read_megatron(tmp_path / "x")
    assert documents[::2] == [[100] * 3, [101] * 3, [102] * 3]
    export(Store(str(tmp_path / "s")), Store(str(tmp_path)), "x", "datatrove")
    assert np.frombuffer((tmp_path / "x.ds").read_bytes(), "<u4").tolist() == [
        t for tokens in documents for t in tokens
    ]
    assert (
        np.frombuffer((tmp_path / "x.ds.index").read_bytes(), "<u8").tolist()
        == np.cumsum(list(map(len, documents))).tolist()
    )


def test_a_set_without_documents_and_a_damaged_one(tmp_path: Path) -> None:
    rows_by_hand(tmp_path / "none", [])
    assert export(Store(str(tmp_path / "none")), Store(str(tmp_path)), "none", "megatron").documents == 0
    assert read_megatron(tmp_path / "none") == []
    index = rows_by_hand(tmp_path / "bad", [30])
    path = tmp_path / "bad" / index.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"train-00000\.arrow: damaged"):
        export(Store(str(tmp_path / "bad")), Store(str(tmp_path)), "bad", "datatrove")
    assert not (tmp_path / "bad.ds").exists()
