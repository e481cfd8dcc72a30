"""What all formats share: batches whose records are all numbered, names that can be shown, options that are refused."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyas.corpus.sources.base import BATCH_BYTES, BATCH_ROWS, BatchBuilder, ColumnSource, printable
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.text_files import TextFiles

HOSTILE = st.text() | st.sampled_from(["\u202e\u0000\u001b[2J", "e\u0301", "\U0001f469\u200d\U0001f469", "\ufffe"])


@settings(deadline=None)
@given(st.lists(st.tuples(HOSTILE, st.sampled_from(["good", "bad", "empty"]))), st.integers(0, 1 << 32))
def test_every_record_has_the_next_number(records: list[tuple[str, str]], first: int) -> None:
    builder = BatchBuilder(first, ["lang"])
    for text, kind in records:
        if kind == "good":
            builder.add(text, "o", {"lang": "de", "other": "x"})
        else:
            builder.reject("o", kind, text, dropped=kind == "empty")
    batch = builder.take()
    numbers = sorted([*batch.rows, *(reject.row for reject in batch.rejects)])
    assert numbers == list(range(first, first + len(records)))
    assert batch.texts == [text for text, kind in records if kind == "good"]
    assert batch.extra == {"lang": ["de"] * len(batch.rows)}
    assert [reject.dropped for reject in batch.rejects] == [kind == "empty" for _, kind in records if kind != "good"]
    builder.add("", "o")
    assert builder.take().rows == [first + len(records)]


def test_a_batch_is_full_at_so_many_rows_or_so_much_text() -> None:
    builder = BatchBuilder(0)
    for _ in range(BATCH_ROWS):
        assert not builder.full()
        builder.reject("o", "bad", "")
    assert builder.full()
    builder.take()
    builder.add("x" * BATCH_BYTES, "o")
    assert builder.full()


@settings(deadline=None)
@given(st.binary(min_size=1))
def test_any_name_of_a_file_can_be_shown_and_stored(name: bytes) -> None:
    shown = printable(os.fsdecode(name))
    assert pa.array([shown]).to_pylist() == [shown]
    if b"\\" not in name:
        assert shown.encode(errors="strict").decode() == shown
    try:
        assert shown == name.decode()
    except UnicodeDecodeError:
        assert "\\udc" in shown


@pytest.mark.parametrize("name", ["id", "text", "source", "origin", "parent"])
def test_a_column_of_every_table_cannot_be_carried(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}: every document table has a column of this name"):
        JsonLines(path=".", carry=["lang", name])
    assert issubclass(JsonLines, ColumnSource)
    assert JsonLines(path=".", carry=["lang"]).carried == {"lang": pa.string()}


def test_a_source_needs_a_pattern() -> None:
    with pytest.raises(ValidationError, match="needs at least one pattern"):
        TextFiles(path=".", glob=[])
