"""The command line within this process, on a terminal of any width."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from harness import Ran


@pytest.fixture
def eyas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command; standard output is no terminal, and `COLUMNS` is 80 unless a test sets it."""
    from eyas.pipelines.cli import app

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", [*sys.path])  # plugins of the working directory are for this test only

    def call(*args: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["eyas", *map(str, args)])
        try:
            app.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call
