"""Fails if a package has more lines of Python than its budget in pyproject.toml, `[tool.eyas.lines]`.

A budget is the measured number, rounded up to the next hundred. Who needs more raises it and says why in docs/log.md.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lines(room: str) -> int:
    """Lines of all Python files below a folder."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / room).rglob("*.py"))


def main() -> None:
    """Prints the rooms that are over, and exits with 1 if there are any."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        budgets: dict[str, int] = tomllib.load(file)["tool"]["eyas"]["lines"]
    over = [(room, count, budget) for room, budget in budgets.items() if (count := lines(room)) > budget]
    for room, count, budget in over:
        print(f"{room}/: {count:,} lines, the budget is {budget:,} (pyproject.toml, [tool.eyas.lines])")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
