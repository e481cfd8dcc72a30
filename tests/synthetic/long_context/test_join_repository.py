"""Joined repositories: files come back byte for byte, whatever the order of the input."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_context_checks import check, docs
from pydantic import ValidationError

from eyas.synthetic.long_context import join_repository
from eyas.synthetic.long_context.join_repository import JoinRepository
from eyas.synthetic.long_context.marks import FILE, REPOSITORY

HOSTILE_TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "\r\n", "\n\n", "é\u0301\U0010ffff\0", "<|fil", "e|>\n", "import os\n"]
)


@given(
    st.dictionaries(st.sampled_from(["a.py", "b/c.py", "d.js", "e/.h", "ü \r.rs", "x.go"]), HOSTILE_TEXT, min_size=2)
)
@settings(max_examples=100, deadline=None)
def test_a_repository_comes_apart_again_byte_for_byte(files: dict[str, str]) -> None:
    stage = JoinRepository(root="/code", min_files=1)
    table = docs(list(files.values()), [f"/code/repo/{path}" for path in files])
    keys = stage.keys(table, 0, 0)
    assert pc.list_value_length(keys).to_pylist() == [1] * len(files) and len(set(keys.flatten().to_pylist())) == 1
    joined_texts = stage.generate(table, 0)
    check(stage, table, joined_texts)
    name, back = join_repository.restore(joined_texts.column("text")[0].as_py())
    assert name == "repo" and {path: text.encode() for path, text in back} == {p: t.encode() for p, t in files.items()}
    shuffled = stage.generate(table.take(pa.array(np.arange(len(files))[::-1])), 0)
    assert shuffled.column("text") == joined_texts.column("text"), "the order of the input does not matter"


def test_files_outside_a_repository_and_with_marks_take_no_part() -> None:
    stage = JoinRepository(root="/code", levels=2)
    origins = ["/code/a/b/c.py", "/code/a/c.py", "/elsewhere/a/b/c.py", "/code/a/b/new\nline.py", "/code/a/b/d.py"]
    table = docs(["x", "x", "x", "x", f"a page spells {FILE}"], origins)
    assert pc.list_value_length(stage.keys(table, 0, 0)).to_pylist() == [1, 0, 0, 0, 0]
    assert stage.places(table)[0] == ("a/b", "c.py")
    by_pattern = JoinRepository(pattern=r"/code/(?P<repository>\w+)/(?P<path>.*)")
    assert by_pattern.places(table)[1] == ("a", "c.py")
    columns = table.append_column("repo", pa.array(["q"] * 5)).append_column("file", pa.array(["m.py"] * 4 + [None]))
    by_column = JoinRepository(repository_column="repo", path_column="file")
    assert by_column.columns_needed() == ("repo", "file") and by_column.places(columns)[:1] == [("q", "m.py")]
    for wrong in (
        {"pattern": "("},
        {"pattern": "x"},
        {"pattern": r"(?P<repository>.+)(?=/)(?P<path>.+)"},
        {"pattern": r"(a)(?P<repository>.+)/(?P<path>.+)"},
        {"path_column": "file"},
        {"file_mark": REPOSITORY},
        {"max_documents": 3},
    ):
        with pytest.raises(ValidationError):
            JoinRepository(**wrong)
    with pytest.raises(ValueError, match="expected a text of join_repository"):
        join_repository.restore("plain")
