"""Each command line that a page or a help page shows runs: in a folder where a small run has the names of the docs."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import documented_workspace as workspace
import pytest
from documented import Simple, code_blocks, commands_of, documented_lines
from documented_workspace import MODEL
from harness import Ran
from moto.server import ThreadedMotoServer

LINES = documented_lines()
SKIPPED = (("--ray-address", "wants a Ray cluster; tests/end_to_end/test_storage.py starts one"),)
"""What a line that cannot run here holds, and why it cannot."""
BEFORE_RUNS = ("plan", "stages", "sources", "prompts", "schema", "migrate")
"""Commands that need no finished run."""
READING = (*BEFORE_RUNS, "explain", "what-if", "generate")
"""Commands that leave the workspace as it is, or change what no other line reads (`migrate`)."""
MORE = (
    ("run .*/long_context.yaml", "--workers 0 --var python_env=../../code"),
    ("run ", "--workers 0 --runs runs"),
    ("pack ", "--workers 0"),
    ("tokenizer train .*--vocab-size", "--workers 0"),
    ("tokenizer train ", "--workers 0 --vocab-size 600"),
    ("tokenizer surgery ", "--fuzz 200"),
    ("fit ", "--min-documents 5"),
    ("train .*weights=", "--steps 1 --batch-size 1 --set weights=300000"),
    ("train .*--start-from", "--steps 1 --batch-size 2"),
    ("train .*batch_ramp=", f"--steps 1 --batch-size 8 --set 'model={MODEL}'"),
    ("train ", f"--steps 1 --batch-size 2 --preset tiny --set 'model={MODEL}'"),
    ("ablate ", f"--steps 1 --seeds 1 --batch-size 2 --sequence-length 256 --set 'model={MODEL}'"),
    ("generate ", "--max-tokens 5"),
)
"""What is added to a line that would take long: the first pattern that matches. The last occurrence of an option counts."""
SMALLER = {
    "--vocab-size": {"8192": "1700", "16384": "1800", "32768": "1700", "65536": "1700", "261120": "1800"},
    "--size": {"32896": "700", "49152": "750"},
}
"""Options that may be given twice or take seconds for each thousand, and what stands in place of their values."""


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """One thread: the models here are so small that a second one would only be waited for."""
    from eyas.pipelines.engine import executors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with inputs, recipes and plugins, before any run. Plugins of other tests may have the same names."""
    place = tmp_path_factory.mktemp("documented") / "work"
    path = list(sys.path)
    workspace.forget_plugins()
    with pytest.MonkeyPatch.context() as patch:
        place.mkdir()
        patch.chdir(place)
        workspace.prepare(place)
    yield place
    workspace.forget_plugins()
    sys.path[:] = path


@pytest.fixture(scope="module")
def pristine(prepared: Path) -> Path:
    """A copy of the whole workspace. Passes are known by the paths of their inputs, so lines run where it was built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(prepared)
        workspace.run_recipes(prepared)
    copy = prepared.parent / "pristine"
    shutil.copytree(prepared, copy, symlinks=True)
    return copy


@pytest.fixture
def whole(prepared: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace with its runs, as it was built, as the current folder."""
    if (prepared / "changed").exists():
        shutil.rmtree(prepared)
        shutil.copytree(pristine, prepared, symlinks=True)
    monkeypatch.chdir(prepared)
    return prepared


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

    entry = eval("{" + code_blocks("extend/tokenizer_pattern.md", "python")[0] + "}", vars(patterns))
    for name, published in entry.items():
        monkeypatch.setitem(patterns.PUBLISHED, name, published)
    monkeypatch.setattr(patterns, "CHOICES", (*patterns.CHOICES, *entry))


def smaller(words: list[str]) -> list[str]:
    """The words of a command with other vocabulary sizes, and with the options that make it short."""
    words = [SMALLER.get(before, {}).get(word, word) for before, word in pairwise(["", *words])]
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
    if words[0] not in READING:
        Path("changed").touch()
    ran = eyas(*smaller(words))
    assert ran.code == 0, ran.err
    if "--json" in words or (command.output or "").endswith(".json"):
        shown = json.loads(ran.out)
        if command.filter:
            program, path = command.filter
            assert program == "jq" and selected(path, shown)


def needs_a_run(line: str) -> bool:
    """Whether a line wants more than the recipes and inputs of the workspace."""
    commands = [command.eyas for command in commands_of(line)]
    return any(words is None or words[0] not in BEFORE_RUNS for words in commands) or "runs/" in line


@pytest.mark.parametrize("line", sorted(line for line in LINES if not needs_a_run(line)), ids=str)
def test_a_documented_line_that_needs_no_run(
    eyas: Callable[..., Ran], prepared: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(prepared)
    for command in commands_of(line):
        run(eyas, command)


@pytest.mark.slow
@pytest.mark.parametrize("line", sorted(line for line in LINES if needs_a_run(line)), ids=str)
@pytest.mark.usefixtures("whole", "pattern")
def test_a_documented_line(eyas: Callable[..., Ran], request: pytest.FixtureRequest, line: str) -> None:
    if reason := next((reason for part, reason in SKIPPED if part in line), None):
        pytest.skip(reason)
    if "s3://" in line:
        request.getfixturevalue("bucket")
    for command in commands_of(line):
        run(eyas, command)


def test_each_exception_is_of_a_line_that_is_there() -> None:
    typed = [" ".join(command.eyas) for line in LINES for command in commands_of(line) if command.eyas]
    assert [start for start, _ in MORE if not any(re.match(start, words) for words in typed)] == []
    assert [part for part, _ in SKIPPED if not any(part in line for line in LINES)] == []
