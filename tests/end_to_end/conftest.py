"""A small corpus of real text, recipes around it, and the command line, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from harness import PRODUCTS, STAGES, Ran


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 1 MB of the standard library as JSON lines in three files, with copies, near-copies and broken records."""
    folder = tmp_path_factory.mktemp("corpus")
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    texts = []
    for path in sorted(stdlib.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="strict")
        if 2_000 < len(text) < 40_000:
            texts.append(text)
    texts = texts[:60]
    records = [{"text": text, "url": f"https://example.org/{i}"} for i, text in enumerate(texts)]
    records += [{"text": texts[3], "url": "https://example.org/copy"}]
    records += [{"text": texts[5] + "\n# one more line at the end\n", "url": "https://example.org/near-copy"}]
    records += [{"text": "Dies ist ein deutscher Text über Vögel. " * 20, "url": "https://example.org/de"}]
    third = len(records) // 3
    for number in range(3):
        lines = [
            json.dumps(record) for record in records[number * third : (number + 1) * third if number < 2 else None]
        ]
        (folder / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def recipe(tmp_path: Path, corpus: Path) -> Callable[..., Path]:
    """Writes a recipe over the corpus: `recipe(stages=…, products=…, extra=…)`."""

    def write(
        name: str = "small", stages: str = STAGES, products: str = PRODUCTS, extra: str = "", path: Path = corpus
    ) -> Path:
        text = f"name: {name}\nseed: 3\npartition_bytes: 200KB\n{extra}\n"
        columns = ", carry: [url]" if path == corpus else ""
        text += f"sources:\n  - name: stdlib\n    jsonl: {{path: {path}{columns}}}\nstages:{stages}\n{products}"
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def eyas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command line within this process: fast, for everything that needs no Ray."""
    from eyas.pipelines.cli import app as cli

    def call(*args: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["eyas", *map(str, args)])
        monkeypatch.setenv("COLUMNS", harness.COLUMNS)
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The command line as a process of its own, killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def call(*args: str | Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "COLUMNS": "200", "RAY_TMPDIR": "/tmp"}
        command = [sys.executable, "-m", "eyas.pipelines.cli.app", *map(str, args)]
        process = subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
