"""The command line as a whole: its verbs in order, what it imports, and the code that each kind of error ends in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn

import pytest
from harness import Ran

Eyas = Callable[..., Ran]

HEAVY = ("numba", "ray", "torch", "pyarrow", "pydantic", "numpy", "rich", "polars", "fsspec")
PANELS = {
    "Run": ["check", "plan", "run", "status", "report"],
    "Ask": ["explain", "what-if", "fit", "ablate"],
    "Build": ["tokenizer", "shards", "pack", "train", "generate", "export"],
    "Learn": ["stages", "sources", "prompts", "schema"],
}


def module(*args: str) -> subprocess.CompletedProcess[str]:
    """`python -m eyas …` in a process of its own."""
    return subprocess.run([sys.executable, "-m", "eyas", *args], capture_output=True, text=True, timeout=60)


def test_help_lists_the_verbs_in_the_order_of_a_users_day(eyas: Eyas) -> None:
    listed: dict[str, list[str]] = {}
    panel = ""
    for line in eyas("--help").out.splitlines():
        if re.fullmatch(r"\w+:", line):
            panel = line.removesuffix(":")
        elif verb := re.match(r"  (\S+)", line):
            listed.setdefault(panel, []).append(verb[1])
    assert {name: listed[name] for name in PANELS} == PANELS
    assert [name for name in listed if name in PANELS] == list(PANELS)


def test_help_imports_nothing_heavy_and_answers_at_once() -> None:
    code = (
        "import sys; sys.argv = ['eyas', '--help']\n"
        "from eyas.pipelines.cli.app import main\n"
        "try: main()\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    times = []
    for _ in range(3):
        started = time.perf_counter()
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        times.append(time.perf_counter() - started)
        assert ran.stderr.strip() == "[]", ran.stderr
        assert "what-if" in ran.stdout
    # 0.25 s on two idle cores; the machine that runs the tests is seldom idle.
    assert min(times) < 1.0, times


def test_version_and_python_dash_m() -> None:
    ran = module("--version")
    assert ran.returncode == 0 and ran.stdout == f"eyas {version('eyas')}\n"


def test_completion_is_offered(eyas: Eyas) -> None:
    assert "--install-completion" in eyas("--help").out
    environment = {**os.environ, "_EYAS_COMPLETE": "complete_bash", "COMP_WORDS": "eyas what", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['eyas']; from eyas.pipelines.cli.app import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "what-if" in ran.stdout, ran


def test_an_unknown_command_or_option_is_a_usage_error(eyas: Eyas) -> None:
    ran = eyas("plann")
    assert ran.code == 2 and "No such command 'plann'" in ran.err and "'plan'" in ran.err
    ran = eyas("run", "recipe.yaml", "--worker", "2")
    assert ran.code == 2 and "--workers" in ran.err
    assert eyas("run").code == 2


def test_a_missing_file_is_an_input_error_on_one_line_however_long_its_path(eyas: Eyas) -> None:
    path = "no/such/folder/" * 12 + "recipe.yaml"
    ran = eyas("plan", path)
    assert ran.code == 3 and ran.err == f"eyas: {path}: no such file\n"


def test_a_refusal_of_the_system_has_a_code_of_its_own(eyas: Eyas, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eyas.pipelines.api.plan", full)
    ran = eyas("plan", "recipe.yaml")
    assert ran.code == 8 and "No space left" in ran.err and "EYAS_TRACEBACK=1" in ran.err and "defect" not in ran.err


def test_anything_else_is_a_defect_and_says_how_to_see_more(eyas: Eyas, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> NoReturn:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr("eyas.pipelines.api.plan", broken)
    ran = eyas("plan", "recipe.yaml")
    assert ran.code == 70
    assert "a defect of Eyas, not of your input: ValueError: operands" in ran.err and "EYAS_TRACEBACK=1" in ran.err
    monkeypatch.setenv("EYAS_TRACEBACK", "1")
    with pytest.raises(ValueError, match="broadcast"):
        eyas("plan", "recipe.yaml")


def test_ctrl_c_says_how_to_go_on(eyas: Eyas, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("eyas.pipelines.api.plan", stopped)
    ran = eyas("run", "recipe.yaml")
    assert ran.code == 130 and "run the same command again" in ran.err
