"""What the fuzzer calls: each parser on some bytes. Any error but one in words for a user is a finding.

A target also compares what it can: JSON lines with Python's own reader, tokens with `tokenizers`, checked shards with
what the loader reads.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.fuzz.structure import json_mutator
from eyas.corpus.documents import documents
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.listing import Split
from eyas.corpus.store import Store, digest_of
from eyas.errors import EyasError
from eyas.pipelines.recipe.recipe import load
from eyas.shards.check import check_set
from eyas.shards.format import Index, IndexedFile, ShardMeta, row_batch, write_shard
from eyas.shards.loader import ShardLoader
from eyas.synthetic.prompts import Prompt
from eyas.tokenizer_train.encoding.encoder import Encoder
from eyas.tokenizer_train.formats import read_tokenizer

REPOSITORY = Path(__file__).parents[2]
TEXTS = ("The quick brown fox, 12 345.", "Ünï\u200dcode 𝒳 中文\n\n\tx", "", "<|endoftext|> [UNK] a")


@cache
def _folder() -> Path:
    """A folder for the files of one process, in memory where the system has such a place."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="eyas-fuzz-", dir=shared if shared.is_dir() else None))


def _written(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def recipe(data: bytes) -> None:
    """A recipe: read, with its options and stages."""
    if b"plugins" in data:
        return  # it would import what the fuzzer names
    load(str(_written("recipe.yaml", data)))


def jsonl(data: bytes) -> None:
    """JSON lines, plain and compressed, whole and in pieces: as many records as lines, and the texts that `json` finds."""
    if not data:
        return
    kind, data = data[0] % 8, data[1:]
    ending = ("", "", "", "", ".gz", ".bz2", ".xz", ".zst")[kind]
    path = _written(f"lines.jsonl{ending}", data)
    source = JsonLines(path=str(path))
    whole = Split(str(path), len(data))
    source.survey(whole)
    texts, rejected = _read(source, whole)
    if kind > 3:
        return
    lines = data.split(b"\n")
    expected = [text for line in lines if (text := _text(line.removeprefix(b"\xef\xbb\xbf"))) is not None]
    records = len(lines) - (not lines[-1])
    assert len(texts) + rejected == records, f"{len(texts)} + {rejected} of {records} records"
    assert [text for text in texts if text in expected] == texts, "a text that is not in the file"
    cut = max(1, len(data) // 2)
    if len(data) > 1:
        pieces = [Split(str(path), cut, 0, cut), Split(str(path), len(data) - cut, cut, len(data))]
        parts = [_read(source, piece) for piece in pieces]
        assert (parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]) == (texts, rejected), (
            "pieces differ from the whole"
        )


def _read(source: JsonLines, split: Split) -> tuple[list[str], int]:
    texts: list[str] = []
    rejected = 0
    for batch in source.read(split, 0):
        texts += batch.texts
        rejected += len(batch.rejects)
        documents(np.array(batch.rows, np.uint64), batch.texts, "s", batch.origins)
    return texts, rejected


def _text(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = record.get("text") if isinstance(record, dict) else None
    return text if isinstance(text, str) else None


def prompt(data: bytes) -> None:
    """A prompt folder: both templates, the card and the schema, rendered for a text."""
    parts = data.split(b"\0")
    folder = _folder() / "prompt"
    folder.mkdir(exist_ok=True)
    for name in ("user.jinja", "system.jinja", "prompt.yaml", "schema.json"):
        (folder / name).write_bytes(parts.pop(0) if parts else b"")
    found = Prompt.find(str(folder))
    assert found.card.version
    _ = found.schema if (folder / "schema.json").stat().st_size else None
    found.wording()
    found.messages("A page that says <|im_end|> and {{ braces }}.")


def tokenizer(data: bytes) -> None:
    """A tokenizer.json, ranks or Tekken file: what our kernel encodes is what `tokenizers` encodes."""
    pattern = None if data.lstrip().startswith(b"{") else "gpt-2"
    encoder = Encoder(read_tokenizer(_written("tokenizer.json", data), pattern), threads=1)
    ids = encoder.encode(pa.array(TEXTS, pa.large_string())).to_pylist()
    for text, found in zip(TEXTS, ids, strict=True):
        assert found == encoder._tokenizer.encode(text, add_special_tokens=False).ids, text


def shards(data: bytes) -> None:
    """A set of shards: its index, its index with a digest that fits, or a file of it in other bytes."""
    if not data:
        return
    folder = _folder() / "shards"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in small_shards().items():
        (folder / name).write_bytes(content)
    name = "index.json" if data[0] % 3 < 2 else "shard.arrow"
    (folder / name).write_bytes(_with_digest(data[1:]) if data[0] % 3 == 1 else data[1:])
    store = Store(str(folder))
    index = Index.load(store)
    for checked in check_set(store, index):
        str(checked.problems)
    if index.rows > 10_000 or index.sequence_length > 100_000:
        return
    loader = ShardLoader(str(folder), batch_size=2)
    for batch, _ in zip(loader, range(3), strict=False):
        batch.input_ids, batch.segment_ids, batch.stored_ids  # noqa: B018  (each is read when it is asked for)


def _with_digest(data: bytes) -> bytes:
    try:
        index = json.loads(data)
        meta = {name: index[name] for name in ShardMeta.__dataclass_fields__}
        index["digest"] = digest_of({"meta": meta, "files": index["files"]})
        return json.dumps(index).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return data


@cache
def small_shards() -> Mapping[str, bytes]:
    """A set of one shard with four rows: its files."""
    folder = _folder() / "made"
    store = Store(str(folder))
    meta = ShardMeta(sequence_length=8, vocab_size=300, pad=0, bos=None, eos=1, tokenizer="0" * 64)
    ids = np.arange(32, dtype=np.uint16).reshape(4, 8)
    counts, lengths = np.ones(4, np.int64), np.full(4, 8, np.int32)
    batch = row_batch(meta, "s", ids, counts, lengths, np.arange(4, dtype=np.uint64), np.zeros(4, np.int64))
    entry = write_shard(store, "shard.arrow", meta, "s", [batch])
    file = IndexedFile("shard.arrow", "s", 4, 4, 32, 40, entry.bytes, entry.sha256)
    store.write_json("index.json", Index(meta, (file,)).to_json())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclass(frozen=True)
class Target:
    """A function of bytes, and bytes to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    words: Callable[[], list[str]] = list
    """Words that the fuzzer may put in."""
    mutate: Callable[[bytes, random.Random], bytes | None] = lambda data, rng: None
    """Changes structured bytes; None where it cannot."""


def _recipes() -> Iterator[bytes]:
    for path in sorted((REPOSITORY / "pipelines/recipes").glob("*.yaml")):
        yield path.read_bytes()


def _yaml(data: bytes) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(data)


def _recipe_words() -> list[str]:
    from eyas.pipelines.recipe.schema import json_schema

    def names(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from node.get("properties", {})
            for value in node.values():
                yield from names(value)
        elif isinstance(node, list):
            for value in node:
                yield from names(value)

    return sorted(set(names(json_schema())) - {"plugins"})


def _lines() -> Iterator[bytes]:
    lines = b'{"text": "a document", "url": "x", "n": 1}\n\n[1]\n{"text": ""}\n{"text": null}\n'
    lines += b'{"text": "\\ud83d\\ude00", "n": 1e999}\n'
    yield b"\0" + lines
    yield b"\0\xef\xbb\xbf" + lines + b'{"text": "no end"'
    yield b"\4" + gzip.compress(lines, mtime=0)
    yield b"\5" + bz2.compress(lines) + bz2.compress(lines)
    yield b"\6" + lzma.compress(lines)
    yield b"\7" + pa.Codec("zstd").compress(lines, asbytes=True)


def _prompts() -> Iterator[bytes]:
    for name in Prompt.builtin():
        folder = Prompt.find(name).folder
        files = [folder / file for file in ("user.jinja", "system.jinja", "prompt.yaml", "schema.json")]
        yield b"\0".join(path.read_bytes() if path.exists() else b"" for path in files)


def _tokenizers() -> Iterator[bytes]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    for split in (pre_tokenizers.ByteLevel(), pre_tokenizers.Whitespace()):
        made = Tokenizer(models.BPE(unk_token=None, byte_fallback=False))
        made.pre_tokenizer = split
        made.normalizer = normalizers.NFC()
        learn = trainers.BpeTrainer(
            vocab_size=300, special_tokens=["<|endoftext|>"], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if isinstance(split, pre_tokenizers.ByteLevel) else [],
        )  # fmt: skip
        made.train_from_iterator(TEXTS * 3, learn)
        yield made.to_str().encode()
    ranks = [*(bytes([byte]) for byte in range(256)), b"ab", b"abc"]
    yield b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(ranks))


def _shards() -> Iterator[bytes]:
    files = small_shards()
    yield b"\0" + files["index.json"]
    yield b"\1" + files["index.json"]
    yield b"\2" + files["shard.arrow"]


TARGETS: dict[str, Target] = {
    "recipe": Target(recipe, _recipes, _recipe_words, json_mutator(read=_yaml)),
    "jsonl": Target(jsonl, _lines),
    "prompt": Target(prompt, _prompts, lambda: ["{{ text }}", "{% for x in y %}", "{% endfor %}", "|join", "fence"]),
    "tokenizer": Target(tokenizer, _tokenizers, mutate=json_mutator()),
    "shards": Target(shards, _shards, mutate=json_mutator(head=1)),
}


def run(name: str, data: bytes) -> None:
    """Runs a target; an error in words for a user is what it should end in, and no finding."""
    try:
        TARGETS[name].run(data)
    except EyasError:
        return
