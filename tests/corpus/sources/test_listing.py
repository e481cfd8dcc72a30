"""The listing: the same files in the same order everywhere, and partitions cut by bytes and nothing else."""

from __future__ import annotations

import os
import random
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.sources.listing import InputFile, Split, cut, list_files, take_bytes


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def listed(folder: Path | str, *globs: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [file.relative for file in list_files(str(folder), globs or ("**",), exclude, "src")]


def test_globs_are_relative_to_the_folder_and_stars_cross_folders(tmp_path: Path) -> None:
    fill(tmp_path, "b.txt", "a.txt", "d/a.txt", "d/e/c.txt", "d/x.md", "d/a.txt.bak", "[x] {y}.txt")
    assert listed(tmp_path) == ["[x] {y}.txt", "a.txt", "b.txt", "d/a.txt", "d/a.txt.bak", "d/e/c.txt", "d/x.md"]
    assert listed(tmp_path, "*.txt") == ["[x] {y}.txt", "a.txt", "b.txt"]
    assert listed(tmp_path, "**/a.txt") == ["a.txt", "d/a.txt"]
    assert listed(tmp_path, "d/**", "a.txt", "a*", exclude=("**/*.bak", "d/e/**")) == ["a.txt", "d/a.txt", "d/x.md"]
    assert listed(f"{tmp_path}/") == listed(tmp_path)


def test_a_path_may_be_one_file_or_another_file_system(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    assert listed(tmp_path / "a.txt", "*.md") == ["a.txt"]
    memory = fsspec.filesystem("memory")
    memory.pipe("/listing/d/x.txt", b"four")
    found = list_files("memory://listing", ["**/*.txt"], [], "src")
    assert [(file.path, file.relative, file.bytes) for file in found] == [("/listing/d/x.txt", "d/x.txt", 4)]


def test_size_and_stamp_change_with_the_file(tmp_path: Path) -> None:
    before = list_files(str(fill(tmp_path, "a.txt")), ["**"], [], "src")[0]
    assert before.bytes == 5
    os.utime(tmp_path / "a.txt", (1, 2))
    assert list_files(str(tmp_path), ["**"], [], "src")[0].stamp != before.stamp


def test_what_is_no_file_is_not_listed(tmp_path: Path) -> None:
    """Reading a named pipe would wait for ever."""
    fill(tmp_path, "a.txt", "d/b.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    assert listed(tmp_path) == ["a.txt", "d/b.txt", "link.txt"]


def test_a_broken_link_stays_in_the_books(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    assert listed(tmp_path) == ["a.txt", "gone.txt"]


@pytest.mark.parametrize(
    ("path", "globs", "message"),
    [
        ("{}", ["*.xyz"], r"source 'src': no file below .* matches \*\.xyz.*\*\*/\*\.txt"),
        ("{}/none", ["**"], "source 'src': no such file or folder"),
        ("nosuch://bucket/x", ["**"], "source 'src': cannot open nosuch://"),
    ],
)
def test_nothing_to_read_is_an_error_that_names_the_source(
    tmp_path: Path, path: str, globs: list[str], message: str
) -> None:
    fill(tmp_path, "a.txt")
    with pytest.raises(ValueError, match=message):
        list_files(path.format(tmp_path), globs, [], "src")


SIZES = st.lists(st.integers(0, 50), min_size=1, max_size=30)


def files_of(sizes: list[int], root: str = "/data") -> list[InputFile]:
    return [InputFile(f"{root}/{i:02d}", f"{i:02d}", size, "") for i, size in enumerate(sizes)]


@settings(deadline=None)
@given(SIZES, st.integers(0, 1000), st.integers(0, 3), st.randoms())
def test_a_sample_fits_is_sorted_and_depends_on_seed_and_names_only(
    sizes: list[int], limit: int, seed: int, chance: random.Random
) -> None:
    files = files_of(sizes)
    taken = take_bytes(files, limit, seed)
    assert sum(file.bytes for file in taken) <= limit
    assert [file.path for file in taken] == sorted({file.path for file in taken})
    left = [file for file in files if file not in taken]
    assert all(sum(f.bytes for f in taken) + file.bytes > limit for file in left), "a file that still fits was left out"
    shuffled = list(files)
    chance.shuffle(shuffled)
    assert take_bytes(shuffled, limit, seed) == taken
    elsewhere = take_bytes(files_of(sizes, "/mnt/other"), limit, seed)
    assert [file.relative for file in elsewhere] == [file.relative for file in taken]


def test_another_seed_takes_another_sample_and_not_just_the_first_files() -> None:
    files = files_of([1] * 40)
    samples = {tuple(file.relative for file in take_bytes(files, 10, seed)) for seed in range(20)}
    assert len(samples) > 15
    assert tuple(file.relative for file in files[:10]) not in samples


@settings(deadline=None)
@given(SIZES, st.integers(1, 120))
def test_partitions_are_runs_of_splits_within_the_limit(sizes: list[int], limit: int) -> None:
    splits = [Split(f"/data/{i}", size) for i, size in enumerate(sizes)]
    groups = cut(splits, limit)
    assert [split for group in groups for split in group] == splits
    for group, following in zip(groups, [*groups[1:], ()], strict=True):
        size = sum(split.bytes for split in group)
        assert size <= limit or len(group) == 1
        assert not following or size + following[0].bytes > limit, "cut although the next split would fit"


def test_a_file_name_that_is_no_utf8_can_be_listed_and_drawn(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("latin-1 name")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    files = list_files(str(tmp_path), ["**/*.txt"], [], "src")
    assert len(files) == 1
    assert take_bytes(files, 100, 0) == files
