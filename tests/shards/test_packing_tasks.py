"""Packing documents into shards: the tokens of every document can be put together again from what was written."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_sets import packed, tokenizer

from eyas.corpus.documents import PARENT
from eyas.corpus.sampling import hash_rank
from eyas.corpus.store import Store
from eyas.shards import packing_tasks as pack
from eyas.shards.format import HELD_OUT, Index
from eyas.shards.options import ShardOptions
from eyas.tokenizer_train import Encoder

TEXTS = st.lists(st.text(alphabet=st.sampled_from("the cat é中\n<|>_1"), min_size=1, max_size=60), max_size=12)


def gathered(folder: Path, index: Index) -> dict[int, list[int]]:
    """Tokens by document, from the columns alone; checks padding and that no row overflows."""
    pieces: dict[int, dict[int, list[int]]] = defaultdict(dict)
    for file in index.files:
        with pa.memory_map(str(folder / "shards" / file.path)) as source:
            table = pa.ipc.open_file(source).read_all()
        assert table.num_rows == file.rows
        table.validate(full=True)
        assert sum(map(sum, table.column("lengths").to_pylist())) == file.tokens
        for row in table.to_pylist():
            at = 0
            assert len(row["lengths"]) == len(row["documents"]) == len(row["offsets"]) > 0
            for length, document, offset in zip(row["lengths"], row["documents"], row["offsets"], strict=True):
                assert offset not in pieces[document]
                pieces[document][offset] = row["input_ids"][at : at + length]
                at += length
            assert set(row["input_ids"][at:]) <= {index.meta.pad}
    tokens: dict[int, list[int]] = {}
    for document, by_offset in pieces.items():
        tokens[document] = []
        for offset in sorted(by_offset):
            assert offset == len(tokens[document])
            tokens[document] += by_offset[offset]
        short = len(tokens[document]) <= index.sequence_length
        assert len(by_offset) == 1 or not short, "a document shorter than a row was split"
    return tokens


@settings(deadline=None, max_examples=30)
@given(TEXTS, st.booleans(), st.booleans(), st.sampled_from([16, 31, 64]), st.data())
def test_every_document_comes_back_token_by_token(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], bos: bool, eos: bool, length: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=2)))
    options = ShardOptions(
        sequence_length=length, bos=bos, eos=eos, group_bytes=data.draw(st.sampled_from([1, 40, 1000]))
    )
    index, entries, by_id = packed(folder, texts, options, cuts)
    encoder = Encoder.from_bytes(tokenizer())
    wanted = {
        document: [1] * bos + encoder.encode(pa.array([text], pa.large_string())).to_pylist()[0] + [11] * eos
        for document, text in by_id.items()
    }
    assert gathered(folder, index) == wanted
    assert (index.meta.bos, index.meta.eos, index.meta.pad) == (1 if bos else None, 11 if eos else None, 0)
    totals = {name: sum(entry[name] for entry in entries) for name in ("documents", "tokens", "padding", "split")}
    assert totals["documents"] == len(texts)
    assert totals["tokens"] == index.tokens == sum(map(len, wanted.values()))
    assert totals["padding"] == index.rows * length - index.tokens
    assert totals["split"] == sum(len(tokens) > length for tokens in wanted.values())
    assert index.text_bytes == sum(len(text.encode()) for text in texts)


def test_held_out_documents_are_packed_apart_and_none_is_lost(tmp_path: Path) -> None:
    texts = [f"the cat {number} sat on the mat" for number in range(400)]
    options = ShardOptions(sequence_length=32, held_out=0.25)
    index, entries, by_id = packed(tmp_path, texts, options, [100, 300])
    train = gathered(tmp_path, index)
    store = Store(str(tmp_path / "shards" / HELD_OUT))
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "shards").symlink_to(tmp_path / "shards" / HELD_OUT)
    held_out = gathered(tmp_path / "apart", Index.load(store))
    assert not set(train) & set(held_out)
    assert set(train) | set(held_out) == set(by_id)
    assert 0.15 < len(held_out) / len(texts) < 0.35
    assert sum(entry["documents"] for entry in entries) == len(texts)
    other, _, _ = packed(tmp_path / "other", texts, options, [100, 300])
    assert other.digest == index.digest


def test_files_follow_from_bytes_alone_and_run_twice_are_the_same(tmp_path: Path) -> None:
    texts = ["the cat " * (i % 9 + 1) for i in range(40)]
    options = ShardOptions(sequence_length=32, group_bytes=600)
    first, _, _ = packed(tmp_path / "a", texts, options, [10, 20, 30])
    again, _, _ = packed(tmp_path / "b", texts, options, [10, 20, 30])
    assert first == again
    assert len(first.files) > 1
    assert [file.path for file in first.files] == [f"train-{i:05d}.arrow" for i in range(len(first.files))]


def test_a_control_token_in_a_document_ends_no_document(tmp_path: Path) -> None:
    index, _, _ = packed(
        tmp_path, ["a<|end_of_text|>b", "<|begin_of_text|>", "<|pad|>"], ShardOptions(sequence_length=64)
    )
    for tokens in gathered(tmp_path, index).values():
        assert tokens[0] == 1
        assert tokens[-1] == 11
        assert not {0, 1, 11} & set(tokens[1:-1])


def test_more_rows_than_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    texts = ["the cat " * chance.randrange(1, 30) for _ in range(400)]
    whole, _, _ = packed(tmp_path / "a", texts, ShardOptions(sequence_length=16))
    # The loader counts on 256 rows in every record batch but the last of a file.
    monkeypatch.setattr(pack, "_BLOCK_TOKENS", 1)
    blocks, _, _ = packed(tmp_path / "b", texts, ShardOptions(sequence_length=16))
    assert whole.rows > 256
    assert blocks == whole


def test_no_documents_make_no_rows(tmp_path: Path) -> None:
    index, entries, _ = packed(tmp_path, [], ShardOptions(sequence_length=16))
    assert (index.rows, index.tokens) == (0, 0)
    assert [entry["documents"] for entry in entries] == [0]


def test_packing_that_does_not_balance_stops() -> None:
    with pytest.raises(RuntimeError, match=r"x\.arrow: packing does not balance: 10 tokens in, 9 packed"):
        pack._check("x.arrow", 10, 9, 3, 3)
    with pytest.raises(RuntimeError, match="3 rows, 2 written"):
        pack._check("x.arrow", 10, 10, 3, 2)


def test_what_was_made_of_a_held_out_document_is_held_out_too() -> None:
    ids = np.arange(2000, dtype=np.uint64)
    parents = pa.array([[]] * 1000 + [[number] for number in range(1000)], pa.list_(pa.uint64()))
    docs = pa.table({"id": pa.array(ids), PARENT.name: parents})
    drawn = pack._drawn(docs, 0.1, 7)
    assert drawn[1000:].tolist() == drawn[:1000].tolist()
    assert 60 < drawn[:1000].sum() < 140
    # Generators take the documents with the lowest ranks, which must not be the held-out ones.
    lowest = np.argsort(hash_rank(ids[:1000], 7))[:50]
    assert drawn[lowest].sum() < 15
