"""The hierarchy of errors: every error of Eyas has a place in it and a documented exit code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from eyas import errors
from eyas.errors import DEFECT, STORAGE, Alarm, ClusterError, EyasError, InputError, UsageError, exit_code, nearest

ROOT = Path(__file__).parents[1]
ROOMS = ("text_kernels", "corpus", "filters", "synthetic", "tokenizer_train", "shards", "trainer", "pipelines")


def defined() -> list[tuple[str, str]]:
    """Module and name of every exception class in the code."""
    found = []
    for room in (*ROOMS, "src/eyas"):
        for path in (ROOT / room).rglob("*.py"):
            if path.is_symlink() or any(parent.is_symlink() for parent in path.relative_to(ROOT).parents):
                continue
            for name in re.findall(r"^class (\w+)\([^)]*(?:Error|Alarm|Exception)[^)]*\):", path.read_text(), re.M):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("src.eyas.")
                found.append((f"eyas.{module}", name))
    return found


def test_every_error_derives_from_the_base_and_is_in_the_list() -> None:
    classes = {name: getattr(importlib.import_module(module), name) for module, name in defined()}
    assert {"InputError", "RecipeError", "TaskFailed", "StageBroken"} <= set(classes)
    # A model's bad answer costs one document, and never leaves the client; nor does a huge number the reader of JSON lines.
    # A signal is no error.
    inner = {"BadAnswer", "Huge", "Stopped"}
    assert {name for name, cls in classes.items() if not issubclass(cls, EyasError)} == inner
    assert {name for name in classes if name not in (errors.__doc__ or "")} == inner


def test_the_list_and_the_classes_agree_on_exit_codes() -> None:
    listed = re.findall(r"── (\w+) +(\d+)  ", errors.__doc__ or "")
    assert {(name, int(code)) for name, code in listed} == {
        (cls.__name__, cls.exit_code) for cls in EyasError.__subclasses__() if cls.__module__ == "eyas.errors"
    }
    assert len({int(code) for _, code in listed}) == len(listed)


@pytest.mark.parametrize(
    "error, code",
    [
        (UsageError("x"), 2), (InputError("x"), 3), (Alarm("x"), 6), (ClusterError("x"), 7), (OSError(28, "x"), STORAGE),
        (PermissionError("x"), STORAGE), (ValueError("x"), DEFECT), (KeyError("x"), DEFECT), (EyasError("x"), 1),
    ],
)  # fmt: skip
def test_every_exception_has_an_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_programs_may_catch_what_python_has_a_name_for() -> None:
    assert issubclass(InputError, ValueError) and issubclass(UsageError, ValueError)
    assert issubclass(Alarm, RuntimeError) and issubclass(ClusterError, RuntimeError)


def test_the_nearest_word_or_nothing() -> None:
    assert nearest("parqet", ["files", "parquet"]) == "; did you mean 'parquet'?"
    assert nearest("zzz", ["files", "parquet"]) == nearest("x", []) == ""
    assert nearest(3, iter(["30"])) == "; did you mean '30'?"
