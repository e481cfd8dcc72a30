"""Each command line that a page or a help page shows runs: in a folder where a small run has the names of the docs."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import documented_workspace as workspace
import pytest
from documented import Simple, commands_of, documented_lines
from documented_workspace import MODEL
from harness import Ran
from moto.server import ThreadedMotoServer
from test_exercises import blocks

LINES = documented_lines()
SKIPPED = (("--ray-address", "wants a Ray cluster; tests/end_to_end/test_storage.py starts one"),)
"""What a line that cannot run here holds, and why it cannot."""
MORE = (
    ("run .*/long_context.yaml", "--workers 0 --var python_env=code"),
    ("run ", "--workers 0 --runs runs"),
    ("pack ", "--workers 0"),
    ("tokenizer train .*", "--workers 0"),
    ("tokenizer surgery ", "--fuzz 200"),
    ("train .*weights=", "--steps 1 --batch-size 1"),
    ("train .*--start-from", "--steps 1 --batch-size 2"),
    ("train ", f"--steps 1 --batch-size 2 --preset tiny --set 'model={MODEL}'"),
    ("ablate ", f"--steps 1 --seeds 1 --batch-size 2 --sequence-length 64 --set 'model={MODEL}'"),
    ("generate ", "--max-tokens 5"),
)
"""What is added to a line that would take long: the first pattern that matches. The last occurrence of an option counts."""
SMALLER = {"8192": "600", "16384": "700", "32768": "600", "65536": "600", "261120": "700"}
"""Vocabulary sizes, which add up if given twice, and what stands in their place."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a workspace; its content is copied from `pristine` before each line."""
    place = tmp_path_factory.mktemp("documented")
    path = list(sys.path)
    workspace.forget_plugins()
    with pytest.MonkeyPatch.context() as patch:
        (place / "work").mkdir()
        patch.chdir(place / "work")
        workspace.build(place / "work")
    # Passes are known by the paths and times of their inputs: each line runs in the same folder.
    (place / "work").rename(place / "pristine")
    yield place / "pristine"
    workspace.forget_plugins()
    sys.path[:] = path


@pytest.fixture
def here(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace as it was built, as the current folder."""
    work = pristine.parent / "work"
    shutil.copytree(pristine, work, symlinks=True)
    monkeypatch.chdir(work)
    yield work
    shutil.rmtree(work)


@pytest.fixture(scope="module")
def bucket(pristine: Path) -> Iterator[None]:
    """`s3://bucket`, with shards, of an S3 that runs in this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        for file in (pristine / "shards").rglob("*.*"):
            client.upload_file(str(file), "bucket", str(file.relative_to(pristine)))
        yield
    server.stop()


@pytest.fixture
def pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pattern of the exercise, as an entry of the table."""
    from eyas.tokenizer_train import patterns

    entry = eval("{" + blocks("extend/tokenizer_pattern.md", "python")[0] + "}", vars(patterns))
    for name, published in entry.items():
        monkeypatch.setitem(patterns.PUBLISHED, name, published)


def reason_to_skip(line: str) -> str | None:
    return next((reason for part, reason in SKIPPED if part in line), None)


def smaller(words: list[str]) -> list[str]:
    """The words of a command with other vocabulary sizes, and with the options that make it short."""
    sizes = [number + 1 for number, word in enumerate(words) if word == "--vocab-size"]
    words = [SMALLER.get(word, word) if number in sizes else word for number, word in enumerate(words)]
    more = next((more for start, more in MORE if re.match(start, " ".join(words))), "")
    (added,) = commands_of(more)
    return words + added.words


def selected(path: str, value: Any) -> list[Any]:
    """What `jq PATH` gives, for paths such as `.documents[].origin`."""
    values = [value]
    for name, _ in re.findall(r"\.(\w+)|(\[\])", path):
        values = [one[name] for one in values] if name else [item for one in values for item in one]
    return values


def run(eyas: Callable[..., Ran], command: Simple) -> None:
    """Runs one command of a line; asserts that it succeeds, and that its JSON is JSON."""
    words = command.eyas
    if words is None:
        assert command.words[:2] == ["python", "-c"], f"only eyas and `python -c` can be run here: {command.words}"
        exec(command.words[2], {"__name__": "__main__"})
        return
    for option, target in zip(words, words[1:], strict=False):
        if option in ("--out", "--json-out") and Path(target).is_dir():
            shutil.rmtree(target)
    ran = eyas(*smaller(words))
    assert ran.code == 0, ran.err
    if "--json" in words or (command.output or "").endswith(".json"):
        shown = json.loads(ran.out)
        if command.filter:
            program, path = command.filter
            assert program == "jq" and selected(path, shown)


@pytest.mark.parametrize("line", sorted(LINES))
@pytest.mark.usefixtures("here", "pattern")
def test_a_documented_line_runs(eyas: Callable[..., Ran], request: pytest.FixtureRequest, line: str) -> None:
    if reason := reason_to_skip(line):
        pytest.skip(reason)
    if "s3://" in line:
        request.getfixturevalue("bucket")
    for command in commands_of(line):
        run(eyas, command)


def test_each_exception_is_of_a_line_that_is_there() -> None:
    typed = [" ".join(command.eyas) for line in LINES for command in commands_of(line) if command.eyas]
    assert [start for start, _ in MORE if not any(re.match(start, words) for words in typed)] == []
    assert [part for part, _ in SKIPPED if not any(part in line for line in LINES)] == []
