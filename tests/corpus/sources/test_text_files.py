"""Text files: one file, one document; what cannot be one is refused by name, never lost and never guessed."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from reading import Record, read_all, texts

from eyas.corpus.sources.text_files import TextFiles


def one(tmp_path: Path, data: bytes, **options: object) -> Record:
    (tmp_path / "x.txt").write_bytes(data)
    (record,) = read_all(TextFiles(path=str(tmp_path), **options))
    assert record.origin == str(tmp_path / "x.txt")
    return record


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1).filter(lambda text: text.strip("\ufeff") != ""))
def test_utf8_comes_through_unchanged(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    record = one(tmp_path_factory.mktemp("text"), text.encode())
    assert record.text == text.removeprefix("\ufeff")


def test_line_ends_and_nuls_stay(tmp_path: Path) -> None:
    assert one(tmp_path, b"a\r\nb\0c\rd\n").text == "a\r\nb\0c\rd\n"


def test_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    assert one(tmp_path, b"\xef\xbb\xbfhello").text == "hello"
    assert one(tmp_path, "\ufeffhi".encode("utf-16-le"), encoding="utf-16-le").text == "hi"


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_dropped_not_quarantined(tmp_path: Path, data: bytes) -> None:
    record = one(tmp_path, data)
    assert (record.reason, record.dropped, record.text) == ("empty", True, None)


@pytest.mark.parametrize("data", [b"caf\xe9 au lait", b"\xff\xfeh\0i\0", b"ok until \xf0\x9f\x98", b"\xed\xa0\x80"])
def test_another_encoding_is_quarantined_with_place_and_bytes(tmp_path: Path, data: bytes) -> None:
    record = one(tmp_path, data)
    assert (record.reason, record.dropped) == ("not_utf8", False)
    assert str(tmp_path / "x.txt") in record.message
    assert "byte " in record.message


def test_a_named_encoding_is_read(tmp_path: Path) -> None:
    assert one(tmp_path, b"caf\xe9", encoding="latin-1").text == "café"
    assert one(tmp_path, b"caf\x81", encoding="cp1252").reason == "not_cp1252"


@pytest.mark.parametrize("encoding", ["utf-99", "base64", "rot13"])
def test_an_encoding_that_is_none_of_text_is_refused_before_anything_runs(encoding: str) -> None:
    with pytest.raises(ValidationError, match="unknown encoding"):
        TextFiles(path=".", encoding=encoding)


def test_a_large_file_is_quarantined_unread(tmp_path: Path) -> None:
    record = one(tmp_path, b"x" * 1001, max_document_bytes="1KB")
    assert record.reason == "too_large"
    assert "1,001 bytes, more than max_document_bytes = 1,000; raise" in record.message
    assert str(tmp_path / "x.txt") in record.message
    assert one(tmp_path, b"x" * 1000, max_document_bytes="1KB").text == "x" * 1000


def test_a_file_that_cannot_be_read_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    good, bad = read_all(TextFiles(path=str(tmp_path)))
    assert good.text == "fine"
    assert (bad.reason, bad.dropped, bad.origin) == ("unreadable", False, str(tmp_path / "gone.txt"))
    if os.getuid() != 0:  # root may read anything
        (tmp_path / "a.txt").chmod(0)
        assert {record.reason for record in read_all(TextFiles(path=str(tmp_path)))} == {"unreadable"}


def test_a_file_that_vanishes_after_the_listing_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    source = TextFiles(path=str(tmp_path))
    splits = source.splits(source.files("src"), 100)
    (tmp_path / "a.txt").unlink()
    (batch,) = source.read(splits[0], 5)
    assert [(reject.row, reject.reason) for reject in batch.rejects] == [(5, "unreadable")]


def test_a_name_that_is_no_utf8_still_gives_an_origin(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"text")
        (tmp_path / os.fsdecode(b"empty\xe9.txt")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    good, bad = read_all(TextFiles(path=str(tmp_path)))
    assert (good.text, good.origin) == ("text", rf"{tmp_path}/caf\udce9.txt")
    assert bad.reason == "empty"
    (bad.origin + bad.message).encode()


def test_any_file_system_will_do() -> None:
    fsspec.filesystem("memory").pipe("/text_files/a.txt", "naïve".encode())
    assert texts(TextFiles(path="memory://text_files")) == ["naïve"]
