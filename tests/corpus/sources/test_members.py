"""Compressed files: every member is read, or the file is damaged; none is left out without a word.

Tested through `eyas.corpus.sources.jsonl`.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from eyas.corpus.sources.base import UnreadableInput
from eyas.corpus.sources.columnar import ArrowFiles, ParquetFiles
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.listing import InputFile, Split
from eyas.errors import InputError

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


def lines(start: int, count: int = 400) -> bytes:
    """Records with numbers, hard to compress."""
    rng = random.Random(start)
    texts = [f"{number} {rng.randbytes(30).hex()}" for number in range(start, start + count)]
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def read(path: Path) -> list[str]:
    """The texts of a file."""
    source = JsonLines(path=str(path.parent))
    return [str(text) for batch in source.read(Split(str(path), os.path.getsize(path)), 0) for text in batch.texts]


@pytest.mark.parametrize("ending", PACK)
def test_all_members_are_read(ending: str, tmp_path: Path) -> None:
    pack, path = PACK[ending], tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(pack(lines(0)) + pack(b"") + pack(lines(400)) + pack(lines(800)))
    assert [int(text.split()[0]) for text in read(path)] == list(range(1200))


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
def test_zeros_after_the_last_member_are_padding(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(PACK[ending](lines(0)) + b"\0" * 512)
    assert len(read(path)) == 400


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("damage", ["head", "garbage", "cut", "none"])
def test_a_member_that_cannot_be_read_is_damage(ending: str, damage: str, tmp_path: Path) -> None:
    pack, path = PACK[ending], tmp_path / f"a.jsonl.{ending}"
    second = bytearray(pack(lines(400)))
    if damage == "head":
        second[1] ^= 0x10
    whole = pack(lines(0)) + bytes(second)
    data = {"head": whole, "garbage": pack(lines(0)) + b"garbage after the end", "cut": whole[:-40], "none": b""}[
        damage
    ]
    path.write_bytes(data)
    with pytest.raises(UnreadableInput, match=r"a\.jsonl\..*damaged"):
        read(path)


def test_a_flipped_bit_in_a_page_with_a_checksum_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {number}" for number in range(1000)]
    table = pa.table({"text": texts})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"text 500") + 6] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableInput, match=r"a\.parquet.*damaged"):
        list(ParquetFiles(path=str(tmp_path)).read(Split(str(path), len(data), 0, 1), 0))


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_any_flipped_bit_is_damage_or_changes_no_more_than_values(ending: str, tmp_path: Path) -> None:
    """An error is always one that names the file; Parquet without checksums, and Arrow, cannot notice every flip."""
    path = tmp_path / f"a.{ending}"
    table = pa.table({"text": [f"text {number}" for number in range(50)], "score": [0.5] * 50})
    if ending == "parquet":
        pq.write_table(table, path, write_page_checksum=True)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    whole = path.read_bytes()
    source = (ParquetFiles if ending == "parquet" else ArrowFiles)(path=str(tmp_path))
    for position in random.Random(1).sample(range(8 * len(whole)), 400):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(bytes(data))
        try:
            files = [InputFile(str(path), path.name, len(data), "")]
            for split in source.splits(files, 1 << 30):
                source.survey(split)
                list(source.read(split, 0))
        except InputError as error:
            assert str(path) in str(error)
