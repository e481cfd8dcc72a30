"""The console: whole lines in a pipe, folded tables on a terminal, and text as it is on both."""

from __future__ import annotations

import io
import re

import pytest

from eyas.pipelines.cli.console import console, print_table, table

REASONS = "gopher_below_alpha_threshold 948, gopher_short_doc 271, gopher_too_many_bullets 12"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    rows = table("stage", "in", "reasons", right=("in",))
    rows.add_row("[bold]read[/bold]", "3,526", "")
    rows.add_row("gopher_quality", "2,289", REASONS)
    print_table(console(), rows)
    return capsys.readouterr().out


def test_a_row_is_a_line_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines = printed(capsys).splitlines()
    assert lines == [
        "stage                 in  reasons",
        "[bold]read[/bold]  3,526",
        f"gopher_quality     2,289  {REASONS}",
    ]


def test_a_table_folds_to_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    lines = re.sub("\x1b[^m]*m", "", printed(capsys)).splitlines()
    assert len(lines) > 3 and max(map(len, lines)) <= 50


def test_text_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    out = console()
    out.file = io.StringIO()
    path = "/a/very/long/path/[to]/a/folder/" * 4 + "report.html"
    out.print(path)
    assert out.file.getvalue() == f"{path}\n"
