"""Forty kinds of damaged input against the true number of records: all are accounted for, or the run names the file.

A kind makes one file out of twenty good records and damage, and says how many records there truly are and how many of them
are good documents; None means that nobody can know, so the run must stop.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from benchmarks.faults.lab import Lab, Trial

TEXTS = [f"Document {number}: häuser, 中文 and \U0001f600." for number in range(20)]
ROWS = [{"text": text, "n": number} for number, text in enumerate(TEXTS)]
LINES = [json.dumps(row, ensure_ascii=False).encode() for row in ROWS]
PLAIN = b"\n".join(LINES) + b"\n"
RECIPE = """name: d
tolerance: 1.0
allow_empty: true
alarms: {{source: {{a: 0}}}}
sources: [{{name: a, {kind}: {{path: {path}, max_document_bytes: 1MB{more}}}}}]
stages: []
"""


@dataclass(frozen=True)
class Kind:
    """A damaged file. `records`, `good`: how many it truly has; None: the run must stop."""

    name: str
    data: bytes
    records: int | None
    good: int | None
    source: str = "jsonl"
    more: str = ""


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def _flipped(data: bytes, at: float) -> bytes:
    place = int(len(data) * at)
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def _parquet(rows: list[dict[str, Any]] | pa.Table = ROWS, **options: Any) -> bytes:
    out = io.BytesIO()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    pq.write_table(table, out, **options)
    return out.getvalue()


def _arrow(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, 5)
    return out.getvalue()


def _with(line: bytes) -> bytes:
    return PLAIN + line + b"\n" + LINES[0] + b"\n"


def _lines() -> list[Kind]:
    """JSON lines: twenty good ones, a bad one, and a good one."""
    bad = {
        "broken line": b'{"text": "x"',
        "NUL bytes": b"\0\0\0\0",
        "line that is not UTF-8": b'{"text": "\xff\xfe"}',
        "blank line": b"",
        "line of spaces": b"   ",
        "list for an object": b'["text"]',
        "number for an object": b"7",
        "field missing": b'{"body": "x"}',
        "null text": b'{"text": null}',
        "number as text": b'{"text": 5}',
        "list as text": b'{"text": ["x"]}',
        "empty text": b'{"text": ""}',
        "lone surrogate": b'{"text": "\\ud800"}',
        "NaN": b'{"text": "x", "n": NaN}',
        "line above the limit": b'{"text": "' + b"x" * 8_000_000 + b'"}',
        "deep nesting": b'{"text": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "two objects in a line": b'{"text": "x"}{"text": "y"}',
    }
    kinds = [Kind(f"{name}.jsonl", _with(line), 22, 21) for name, line in bad.items()]
    return [
        *kinds,
        Kind("cut in the last line.jsonl", PLAIN[:-10], 20, 19),
        Kind("no line feed at the end.jsonl", PLAIN[:-1], 20, 20),
        Kind("carriage returns.jsonl", PLAIN.replace(b"\n", b"\r\n"), 20, 20),
        Kind("byte order mark.jsonl", b"\xef\xbb\xbf" + PLAIN, 20, 20),
        Kind("integer beyond 64 bits.jsonl", _with(b'{"text": "x", "n": 123456789012345678901234567890}'), 22, 22),
    ]


def _compressed() -> list[Kind]:
    gz, bz, xz, zst = gzip.compress(PLAIN, mtime=0), bz2.compress(PLAIN), lzma.compress(PLAIN), _zstd(PLAIN)
    kinds = []
    for ending, data in (("gz", gz), ("bz2", bz), ("xz", xz), ("zst", zst)):
        kinds += [
            Kind(f"cut.jsonl.{ending}", data[: len(data) * 2 // 3], None, None),
            Kind(f"second member with a flipped head.jsonl.{ending}", data + _flipped(data, 0), None, None),
            Kind(f"bit in the middle.jsonl.{ending}", _flipped(data, 0.5), None, None),
        ]
    return [
        *kinds,
        Kind("no bytes.jsonl.gz", b"", None, None),
        Kind("plain text.jsonl.gz", PLAIN, None, None),
        Kind("text behind the end.jsonl.gz", gz + b"not compressed", None, None),
        Kind("two members.jsonl.gz", gz + gz, 40, 40),
    ]


def _tables() -> list[Kind]:
    whole = _parquet(ROWS, write_page_checksum=True, compression="none")
    table = pa.Table.from_pylist(ROWS)
    nulls = pa.table({"text": pa.array([*TEXTS, None, ""], pa.string())})
    stream = _arrow(table)
    return [
        Kind("cut.parquet", whole[:-30], None, None, "parquet"),
        Kind("bit in a page.parquet", _flipped(whole, 0.2), None, None, "parquet"),
        Kind("no bytes.parquet", b"", None, None, "parquet"),
        Kind("nulls.parquet", _parquet(nulls), 22, 20, "parquet"),
        Kind("numbers for texts.parquet", _parquet([{"text": 5}]), None, None, "parquet"),
        Kind("cut.arrow", stream[: len(stream) // 2], None, None, "arrow"),
        Kind("not Arrow.arrow", PLAIN, None, None, "arrow"),
        Kind("nulls.arrow", _arrow(nulls), 22, 20, "arrow"),
        Kind("not UTF-8.txt", b"caf\xe9 au lait", 1, 0, "files"),
        Kind("empty.txt", b"", 1, 0, "files"),
    ]


def kinds() -> list[Kind]:
    """All kinds."""
    return [*_lines(), *_compressed(), *_tables()]


def damaged_input(kind: Kind, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """Runs over the file beside a good one; all records must be accounted for, or the file named."""
    folder = lab.folder / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    victim = folder / "in" / kind.name
    victim.write_bytes(kind.data)
    recipe = folder / "d.yaml"
    recipe.write_text(RECIPE.format(kind=kind.source, path=folder / "in", more=kind.more))
    command = [sys.executable, "-m", "eyas", "run", str(recipe), "--workers", "0", "--runs", str(folder / "runs")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if kind.records is None:
        named = str(victim) in ended.stderr and "Traceback" not in ended.stderr
        return ended.returncode == 3 and named, not (folder / "runs/d/curated").exists()
    if ended.returncode:
        print(ended.stderr[-600:])
        return False, False
    ledger = pa.concat_tables([pq.read_table(path) for path in (folder / "runs/d/ledger").glob("*.parquet")])
    kept = ledger.column("kept").to_pylist()
    texts = [text for path in sorted((folder / "runs/d/curated").glob("*.parquet")) for text in _texts(path)]
    whole = [text for text in texts if text in TEXTS]
    return len(kept) == kind.records, kept.count(True) == kind.good == len(texts) and len(whole) >= (kind.good or 0) - 1


def _texts(path: Path) -> list[str]:
    texts: list[str] = pq.read_table(path, columns=["text"]).column("text").to_pylist()
    return texts


def damaged_inputs() -> dict[str, Trial]:
    """A trial for each kind."""
    made: dict[str, Callable[..., tuple[bool, bool]]] = {}
    for kind in kinds():
        made[f"input: {kind.name}"[:44]] = partial(damaged_input, kind)
    return made
