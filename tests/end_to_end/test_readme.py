"""What the README shows is what happens: its recipe plans, its Python runs, its figures are those of the quickstart."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

from harness import Ran

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_recipe_is_valid(eyas: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(blocks("yaml")[0])
    ran = eyas("plan", tmp_path / "recipe.yaml", "--runs", tmp_path)
    assert ran.code == 0, ran.err
    assert "language → gopher_quality → code_quality" in ran.out and "10 of 10 passes" in ran.out


def test_the_python_names_are_there() -> None:
    import eyas

    (statement,) = [node for node in ast.parse(blocks("python")[0]).body if isinstance(node, ast.ImportFrom)]
    assert statement.module == "eyas"
    assert [alias.name for alias in statement.names if not hasattr(eyas, alias.name)] == []


def test_it_is_short_and_one_sentence_a_line() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) < 800
    assert [line for line in prose.splitlines() if re.search(r"[a-z]\. [A-Z]", line) and not line.startswith("|")] == []
