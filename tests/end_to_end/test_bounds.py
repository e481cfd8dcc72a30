"""Hostile recipes, prompts and addresses end in words, within seconds and without secrets."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from harness import Ran

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
HOSTILE = {
    "bracket in a key": ('name: x\nsources: []\n"a[b": 1\n', 3, "unknown key"),
    "aliases": (LAUGHS, 5, "more than 20,000 values"),
    "lists": ("name: x\na: " + "[" * 5000 + "]" * 5000, 2, "more than 40 levels"),
    "maps": ("".join(f"{' ' * i}a:\n" for i in range(300)), 41, "more than 40 levels"),
    "a long comment": ("name: x\n# " + "x" * 2_000_000 + "\n", 1, "a recipe may have 200,000"),
    "a month 13": ("name: x\nsources: []\nseed: 2026-13-45\nstages: []\n", 3, "month must be in"),
    "half of a character": ('name: x\nsources: ["\\ud800"]\n', 2, "half of a character"),
    "an alias of itself": ("name: x\nsources: &s [*s]\n", 2, "sources"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_ends_in_words_with_file_and_line(eyas: Callable[..., Ran], tmp_path: Path, name: str) -> None:
    text, line, says = HOSTILE[name]
    file = tmp_path / "hostile.yaml"
    file.write_text(text)
    began = time.monotonic()
    ran = eyas("plan", file)
    assert ran.code == 3 and says in ran.err and f"{file}:{line}:" in ran.err, ran.err
    assert time.monotonic() - began < 10


PROMPTS = {
    "attributes": "{{ text.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "endless": "{% for i in range(10 ** 12) %}{{ i }}{% endfor %}",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_strangers_prompt_reaches_nothing(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "prompt"
    folder.mkdir()
    (folder / "system.jinja").write_text("Be brief.")
    (folder / "user.jinja").write_text(PROMPTS[name])
    stages = f"\n  - rewrite: {{prompt: {folder}, endpoint: 'http://127.0.0.1:9/v1', model: m, max_documents: 1}}\n"
    ran = eyas("run", recipe(stages=stages, products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code in (3, 4) and "user.jinja" in ran.err, ran.err
    assert "uid=" not in ran.err + ran.out


SECRETS = (
    "s3://AKIDEXAMPLE:hunter2secret@bucket/data",
    "https://user:hunter2secret@example.org/data",
    "ftp://:hunter2secret@example.org/data",
    "https://example.org/data?X-Amz-Signature=hunter2secret",
    "https://example.org/data?sig=hunter2secret&token=hunter2secret",
)


@pytest.mark.parametrize("url", SECRETS)
@pytest.mark.parametrize("where", ["source", "variable", "runs", "endpoint", "status"])
def test_a_secret_in_an_address_is_refused_and_shown_nowhere(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path, url: str, where: str
) -> None:
    runs = ["--workers", "0", "--runs", str(tmp_path / "runs")]
    file = recipe(products="")
    if where == "source":
        text = file.read_text()
        path = text.split("path: ")[1].split(",")[0]
        file.write_text(text.replace(f"path: {path}", f"path: '{url}'"))
        ran = eyas("run", file, *runs)
    elif where == "variable":
        text = file.read_text()
        path = text.split("path: ")[1].split(",")[0]
        file.write_text(text.replace(f"path: {path}", 'path: "${data}"'))
        ran = eyas("run", file, *runs, "--var", f"data={url}")
    elif where == "runs":
        ran = eyas("run", file, "--workers", "0", "--runs", url)
    elif where == "endpoint":
        file = recipe(stages=f"\n  - rewrite: {{endpoint: '{url}', model: m}}\n", products="")
        ran = eyas("run", file, *runs)
    else:
        ran = eyas("status", url)
    assert ran.code in (2, 3) and "environment" in ran.err, ran.err
    assert "hunter2" not in ran.out + ran.err
    for path in tmp_path.rglob("*"):
        assert path == file or not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_addresses_without_secrets_and_names_with_signs_are_left_alone(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "a@b:c" / "in"
    odd.mkdir(parents=True)
    for file in corpus.iterdir():
        (odd / file.name).write_bytes(file.read_bytes())
    ran = eyas("run", recipe(products="", path=odd), "--workers", "0", "--runs", tmp_path / "runs@home")
    assert ran.code == 0, ran.err


@pytest.mark.slow
def test_memory_is_flat_in_the_records_of_a_compressed_file(
    start: Callable[..., subprocess.Popen[str]], recipe: Callable[..., Path], tmp_path: Path
) -> None:
    """Three kilobytes of gzip hold three million blank lines: each has a row in the ledger, and none stays in memory."""
    folder = tmp_path / "blank"
    folder.mkdir()
    stages = "\n  - gopher_quality: {min_doc_words: 2}\n"
    extra = "tolerance: 1.0\nallow_empty: true\nalarms: {source: {stdlib: 0}}"
    peaks = []
    for lines in (1_000_000, 3_000_000):
        (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a document"}\n' + b"\n" * lines))
        file = recipe(name=f"blank{lines}", stages=stages, products="", extra=extra, path=folder)
        process = start("run", file, "--workers", "0", "--runs", tmp_path / "runs")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        ledger = pq.ParquetFile(tmp_path / f"runs/blank{lines}/ledger/part-00000.parquet")
        assert ledger.metadata.num_rows == lines + 2  # of the one document, two stages decided
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] < 1.15 * peaks[0], peaks
