"""The sources in a path of the command line: by the names of files, by the folder of a run, or an error that helps."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eyas.corpus.sources.by_path import class_of, sources_of
from eyas.errors import InputError


@pytest.mark.parametrize(
    "name, format",
    [
        ("a.parquet", "ParquetFiles"),
        ("A.PARQUET", "ParquetFiles"),
        ("a.jsonl.zst", "JsonLines"),
        ("a.json.gz", "JsonLines"),
        ("a.json", "TextFiles"),
        ("a.feather", "ArrowFiles"),
        ("привет.md", "TextFiles"),
        ("a.bin", None),
        ("parquet", None),
    ],
)
def test_the_name_of_a_file_tells_its_format(name: str, format: str | None) -> None:
    cls = class_of(name)
    assert (cls.__name__ if cls else None) == format


def names(path: Path) -> list[str]:
    """The formats found at a path."""
    return [type(source).__name__ for source in sources_of(str(path), "PATH")]


def test_a_folder_holds_every_format_that_is_there_and_text_files_only_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# what this is")
    assert names(tmp_path) == ["TextFiles"]
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "below").mkdir()
    pq.write_table(pa.table({"text": ["b"]}), tmp_path / "below" / "b.parquet")
    assert names(tmp_path) == ["JsonLines", "ParquetFiles"]


def test_a_run_is_read_from_its_curated_documents(tmp_path: Path) -> None:
    (tmp_path / "passes").mkdir()
    with pytest.raises(InputError, match="no curated documents yet; let `eyas run` finish it"):
        sources_of(str(tmp_path), "PATH")
    (tmp_path / "curated").mkdir()
    pq.write_table(pa.table({"text": ["b"]}), tmp_path / "curated" / "part-00000.parquet")
    (source,) = sources_of(str(tmp_path), "PATH", ["lang"])
    assert source.path == f"{tmp_path}/curated" and [file.relative for file in source.files("s")] == [
        "part-00000.parquet"
    ]
    assert list(source.carried) == ["lang"]


def test_what_cannot_be_read_names_option_and_path(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\x00")
    for path, message in [
        (tmp_path / "nowhere", "no such file or folder; expected a run's folder"),
        (tmp_path / "data.bin", "cannot tell the format from its name"),
        (tmp_path, "no file there to read"),
        ("no-such-protocol://x", "cannot open it"),
    ]:
        with pytest.raises(InputError, match=message) as raised:
            sources_of(str(path), "--corpus")
        assert str(raised.value).startswith(f"--corpus {path}: ")
