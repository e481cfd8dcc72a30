"""What the README shows is what happens: its recipe is valid, its stage of ten lines works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from harness import Ran

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_explained_recipe_is_valid(eyas: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(blocks("yaml")[0])
    ran = eyas("plan", tmp_path / "recipe.yaml", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    assert "read → language → gopher_quality" in ran.out and "9 of 9 passes" in ran.out


def test_the_stage_of_ten_lines_works(eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path) -> None:
    code = next(block for block in blocks("python") if "MinBytes" in block)
    (tmp_path / "my_stages.py").write_text(code)
    file = recipe(stages=" [min_bytes: {least: 5000}]", products="", extra="plugins: [my_stages]")
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert "too_small" in ran.out
    listed = eyas("stages", "min_bytes", "--plugin", "my_stages")
    assert "Bytes a document must have" in listed.out and "Drops documents below a size" in listed.out


def test_every_command_and_file_it_names_exists(eyas: Callable[..., Ran]) -> None:
    listed = eyas("--help").out
    for command in set(re.findall(r"eyas ([a-z]+) ", README)):
        assert command in listed or command in ("run",), command
    root = Path(__file__).parents[2]
    for room in re.findall(r"^([a-z_]+)/ {2,}", README, flags=re.MULTILINE):
        assert (root / room).is_dir(), room
