"""JSON lines: any cut of a file gives the same documents, and every line is a document or a reject with its place."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import Record, read_all, texts

from eyas.corpus.sources.base import UnreadableInput
from eyas.corpus.sources.jsonl import JsonLines

COMPRESS = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def source(path: Path, data: bytes, **options: object) -> JsonLines:
    path.write_bytes(data)
    return JsonLines(path=str(path), **options)


def line(text: str, ascii_only: bool = False) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=ascii_only).encode()


# --- any cut gives the same documents -------------------------------------------------------------------------------

HOSTILE = st.text(st.sampled_from('aé中😀\n\r\0\u2028\u0085"\\{}\ufeff') | st.characters(codec="utf-8"), max_size=12)
LINES = st.one_of(
    st.builds(line, HOSTILE, st.booleans()),
    st.sampled_from([b"", b"   ", b"\t", b"{", b"[1]", b'"x"', b"null", b"{}", b'{"text": null}', b'{"text": 3}']),
    st.sampled_from([b'{"text": ""}', b"\x00", b"NaN"]),
    st.sampled_from([b'{"text": "\xff"}', b'{"text": "\\ud800"}', b'\xef\xbb\xbf{"text": "a"}']),
)
FILES = st.tuples(
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=12), st.sampled_from([None, b"", b"\r"])
).map(lambda parts: b"".join(a + b for a, b in parts[0][:-1]) + _last(parts[0], parts[1]))


def _last(lines: list[tuple[bytes, bytes]], end: bytes | None) -> bytes:
    """The last line with its own end, or with another: none at all, or half of one."""
    return b"" if not lines else lines[-1][0] + (lines[-1][1] if end is None else end)


def expected(data: bytes) -> list[str | None]:
    """The text of every line, None for those that are no document: what Python's own json makes of them."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [_text(line) for line in lines]


def _text(line: bytes) -> str | None:
    try:
        record = json.loads(line.decode())
    except ValueError:
        return None
    text = record.get("text") if isinstance(record, dict) else None
    try:
        return text if isinstance(text, str) and text and text.encode() else None
    except UnicodeEncodeError:
        return None


@settings(deadline=None, max_examples=150)
@given(FILES, st.integers(1, 60))
def test_any_cut_gives_the_same_documents_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, partition_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cuts.jsonl"
    found = read_all(source(path, data), partition_bytes)
    assert [record.text for record in found] == expected(data)
    assert all(bool(record.reason) == (record.text is None) for record in found)
    assert len({record.origin for record in found}) == len(found)


def test_every_boundary_of_a_small_file(tmp_path: Path) -> None:
    documents = ["one", "zwei é", "😀😀", "x" * 30, "end"]
    data = b"".join(line(text) + b"\n" for text in documents)
    for partition_bytes in range(1, len(data) + 2):
        assert texts(source(tmp_path / "x.jsonl", data), partition_bytes) == documents


def test_splits_cover_the_file_once(tmp_path: Path) -> None:
    jsonl = source(tmp_path / "x.jsonl", b"x" * 101)
    splits = jsonl.splits(jsonl.files("src"), 25)
    assert [(split.start, split.end) for split in splits] == [(0, 25), (25, 50), (50, 75), (75, 100), (100, 101)]
    assert sum(split.bytes for split in splits) == 101
    packed = source(tmp_path / "x.jsonl.gz", gzip.compress(b"x" * 101))
    assert len(packed.splits(packed.files("src"), 5)) == 1


# --- compression ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_reads_as_the_plain_one(tmp_path: Path, suffix: str) -> None:
    lines = [line(f"document {i} é {'x' * (i % 50)}") for i in range(3000)] + [b"", b"{broken", b'{"text": null}']
    data = b"\n".join(lines) + b"\n"
    plain = read_all(source(tmp_path / "x.jsonl", data))
    packed = read_all(source(tmp_path / f"x.jsonl{suffix}", COMPRESS[suffix](data)))
    assert [record.origin.replace(suffix, "") for record in packed] == [record.origin for record in plain]
    assert [(record.text, record.reason) for record in packed] == [(record.text, record.reason) for record in plain]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_members_one_after_another_are_one_file(tmp_path: Path, suffix: str) -> None:
    pieces = [b'{"text": "a"}\n{"te', b'xt": "b"}\n', b"", b'{"text": "c"}']
    data = b"".join(COMPRESS[suffix](piece) for piece in pieces)
    assert texts(source(tmp_path / f"x.jsonl{suffix}", data)) == ["a", "b", "c"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_cut_compressed_file_stops_the_run_wherever_it_is_cut(tmp_path: Path, suffix: str) -> None:
    member = COMPRESS[suffix](b"".join(line(f"{i} {i * i}") + b"\n" for i in range(50)))
    for cut in [*range(1, len(member), 7), len(member) - 1, *range(len(member) + 1, 2 * len(member), 50)]:
        with pytest.raises(UnreadableInput, match=rf"x\.jsonl{suffix}: truncated or damaged.*exclude"):
            read_all(source(tmp_path / f"x.jsonl{suffix}", (member * 2)[:cut]))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_what_is_not_compressed_or_damaged_stops_the_run(tmp_path: Path, suffix: str) -> None:
    damaged = bytearray(COMPRESS[suffix](b"".join(line(f"{i} {i * i}") + b"\n" for i in range(500))))
    damaged[len(damaged) // 2] ^= 0x55
    for data in (b'{"text": "plain"}\n', bytes(damaged)):
        with pytest.raises(UnreadableInput, match=rf"x\.jsonl{suffix}: truncated or damaged"):
            read_all(source(tmp_path / f"x.jsonl{suffix}", data))


def test_every_compression_is_found_without_naming_it(tmp_path: Path) -> None:
    for suffix in ("", *COMPRESS):
        data = line(f"from {suffix}") + b"\n"
        (tmp_path / f"x.jsonl{suffix}").write_bytes(COMPRESS[suffix](data) if suffix else data)
    assert sorted(texts(JsonLines(path=str(tmp_path)))) == sorted(f"from {suffix}" for suffix in ("", *COMPRESS))


# --- lines that are no documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason", "words"),
    [
        (b'{"text": "cut', "broken_json", "not valid JSON"),
        (b'{"text": "a"} trailing', "broken_json", "not valid JSON"),
        (b'{"text": "caf\xe9"}', "broken_json", "not valid JSON"),
        (b'{"text": "\\ud83d"}', "broken_json", "not valid JSON"),
        (b"[" * 5000, "broken_json", "not valid JSON"),
        (b'["text"]', "not_an_object", "expected a JSON object, found a list"),
        (b"true", "not_an_object", "expected a JSON object, found a boolean"),
        (b"null", "not_an_object", "expected a JSON object, found null"),
        (b'{"body": "a", "id": 1}', "no_text", "'text' is missing, expected a string (fields: body, id)"),
        (b'{"text": null}', "no_text", "'text' is null"),
        (b'{"text": 1.5}', "no_text", "'text' is a number"),
        (b'{"text": ["a"]}', "no_text", "'text' is a list"),
        (b'{"text": {"a": 1}}', "no_text", "'text' is an object"),
    ],
)
def test_a_bad_line_is_quarantined_with_file_and_line(tmp_path: Path, bad: bytes, reason: str, words: str) -> None:
    data = b"\n".join([line("before"), bad, line("after")])
    before, record, after = read_all(source(tmp_path / "x.jsonl", data))
    assert (before.text, after.text) == ("before", "after")
    assert (record.reason, record.dropped, record.origin) == (reason, False, f"{tmp_path}/x.jsonl#2")
    assert f"{tmp_path}/x.jsonl, line 2: " in record.message
    assert words in record.message


@pytest.mark.parametrize("blank", [b"", b" \t ", b"\r", b'{"text": ""}'])
def test_a_blank_line_is_dropped_and_counted(tmp_path: Path, blank: bytes) -> None:
    before, record, after = read_all(source(tmp_path / "x.jsonl", b"\n".join([line("a"), blank, line("b")])))
    assert (before.text, record.reason, record.dropped, after.text) == ("a", "empty", True, "b")


def test_a_byte_order_mark_before_the_first_line_is_no_error(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + line("first") + b"\n" + line("second") + b"\n"
    for partition_bytes in (1, 20, 1000):
        assert texts(source(tmp_path / "x.jsonl", data), partition_bytes) == ["first", "second"]
    assert texts(source(tmp_path / "x.jsonl.gz", gzip.compress(data))) == ["first", "second"]


def test_of_a_field_given_twice_the_last_counts_as_in_python(tmp_path: Path) -> None:
    assert texts(source(tmp_path / "x.jsonl", b'{"text": "a", "text": "b"}')) == ["b"]


def test_an_empty_file_holds_no_documents(tmp_path: Path) -> None:
    assert read_all(source(tmp_path / "x.jsonl", b"")) == []
    assert read_all(source(tmp_path / "x.jsonl.gz", gzip.compress(b""))) == []


def test_columns_to_carry_come_as_text(tmp_path: Path) -> None:
    records = [
        {"body": "one", "url": "http://a", "lang": "en", "n": 3, "tags": ["x", None]},
        {"body": "two", "url": 7, "lang": None, "n": 1.5},
    ]
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    jsonl = source(tmp_path / "x.jsonl", data, text_column="body", origin_column="url", carry=["lang", "n", "tags"])
    split = jsonl.splits(jsonl.files("src"), 1 << 30)[0]
    (batch,) = jsonl.read(split, 0)
    assert batch.origins == ["http://a", f"{tmp_path}/x.jsonl#2"]
    extra = {name: values.to_pylist() for name, values in batch.extra.items()}
    assert extra == {"lang": ["en", None], "n": ["3", "1.5"], "tags": ['["x",null]', None]}
    assert set(jsonl.carried) == set(extra)


# --- large documents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["a", "é", "中", "\n"])
def test_the_limit_is_in_bytes_of_the_text(tmp_path: Path, character: str) -> None:
    size = len(character.encode())
    count = 6000 // size
    data = line(character * count) + b"\n" + line(character * (count + 1)) + b"\n" + line("after")
    records = read_all(source(tmp_path / "x.jsonl", data, max_document_bytes=count * size))
    assert [record.reason for record in records] == [None, "too_large", None]
    assert f"{(count + 1) * size:,} bytes, more than max_document_bytes = {count * size:,}" in records[1].message


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_a_line_beyond_all_bounds_is_passed_over_and_the_next_is_read(tmp_path: Path, suffix: str) -> None:
    data = line("before") + b"\n" + line("x" * 3_000_000) + b"\n" + line("after") + b"\n" + b"y" * 2_000_000
    packed = COMPRESS[suffix](data) if suffix else data
    records = read_all(source(tmp_path / f"x.jsonl{suffix}", packed, max_document_bytes="10KB"))
    assert [record.text for record in records] == ["before", None, "after", None]
    assert [record.reason for record in records] == [None, "too_large", None, "too_large"]
    assert "3,000,013 bytes" in records[1].message
    if not suffix:
        cut = source(tmp_path / "x.jsonl", data, max_document_bytes="10KB")
        assert [r.text for r in read_all(cut, 700_000)] == ["before", None, "after", None]


HUGE = """
import resource, sys
from eyas.corpus.sources.jsonl import JsonLines
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
source = JsonLines(path=sys.argv[1], max_document_bytes=int(sys.argv[2]))
split = source.splits(source.files("src"), 1 << 40)[0]
before = peak()
for batch in source.read(split, 0):
    for text in batch.texts: print("text", len(text))
    for reject in batch.rejects: print(reject.reason, reject.message)
print("copies", (peak() - before) * 1024 * 1024 / 100_000_000)
"""


@pytest.mark.parametrize("limit", [64_000_000, 200_000_000])
def test_a_document_of_100_mb_on_one_line(tmp_path: Path, limit: int) -> None:
    """Rejected in words by default, read when the option is raised; in neither case held more than three times."""
    with open(tmp_path / "x.jsonl", "wb") as file:
        file.write(b'{"text": "' + b"x" * 100_000_000 + b'"}\n' + line("after") + b"\n")
    command = [sys.executable, "-c", HUGE, str(tmp_path / "x.jsonl"), str(limit)]
    first, second, copies = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    if limit == 64_000_000:
        assert (first, second.split()[0]) == ("text 5", "too_large")
        assert "line 1: the document has 100,000,000 bytes, more than max_document_bytes = 64,000,000; raise" in second
    else:
        assert (first, second) == ("text 100000000", "text 5")
    assert float(copies.split()[1]) < 3.3


def test_batches_are_bounded(tmp_path: Path) -> None:
    data = b"".join(line("x" * 1_000_000) + b"\n" for _ in range(40)) + b"{}\n" * 20_000
    jsonl = source(tmp_path / "x.jsonl", data)
    split = jsonl.splits(jsonl.files("src"), 1 << 30)[0]
    sizes = [(sum(map(len, batch.texts)), len(batch.rows) + len(batch.rejects)) for batch in jsonl.read(split, 0)]
    assert max(size for size, _ in sizes) <= 17_000_000
    assert max(rows for _, rows in sizes) <= 8192
    assert sum(rows for _, rows in sizes) == 20_040


def test_records_compare() -> None:
    """The oracle itself: a line that is no document must not be taken for one."""
    assert expected(b'{"text": "a"}\r\n\n{"text": ""}\n[]') == ["a", None, None, None]
    assert Record(0, "o", "a") != Record(0, "o", "b")
