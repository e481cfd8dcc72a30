"""Bad input through the command line: a message that names the place and says what to do, and nothing lost."""

from __future__ import annotations

import gzip
import http.server
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from harness import Ran

Eyas = Callable[..., Ran]
WriteRecipe = Callable[..., Path]
GOOD = json.dumps({"text": "The falcon is a bird of prey that hunts with the others of its kind. " * 20}) + "\n"


@pytest.fixture
def run_on(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> Callable[..., Ran]:
    """Runs a bare recipe over files given as bytes: `run_on({"a.jsonl": b"…"}, extra="tolerance: 1.0")`."""

    def call(files: dict[str, bytes], extra: str = "tolerance: 1.0", stages: str = " []") -> Ran:
        folder = tmp_path / "input"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            if not (folder / name).exists() or (folder / name).read_bytes() != content:
                (folder / name).write_bytes(content)
        written = recipe(stages=stages, products="", extra=extra, path=folder)
        return eyas("run", written, "--workers", "0", "--runs", tmp_path / "runs")

    return call


def decisions(tmp_path: Path) -> pl.DataFrame:
    """The run's ledger."""
    return pl.read_parquet(tmp_path / "runs/small/ledger/*.parquet")


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("seed: 3", "sead: 3"), 2, ["sead", "unknown key", "did you mean 'seed'"]),
        (("seed: 3", "seed: three"), 2, ["seed", "valid integer", "'three'"]),
        (("seed: 3", "seed: 3\nseed: 4"), 3, ["duplicate key", "seed"]),
        (("carry: [url]", "cary: [url]"), 7, ["cary", "did you mean 'carry'"]),
        (("gopher_quality: {", "gopher_qualty: {"), 10, ["gopher_qualty", "did you mean 'gopher_quality'"]),
        (("verify_jaccard: 0.7", "verify_jacard: 0.7"), 12, ["verify_jacard", "did you mean 'verify_jaccard'"]),
        (("verify_jaccard: 0.7", "verify_jaccard: 7"), 12, ["less than or equal to 1", "7"]),
        (("sequence_length: 256", "sequence_length: 3"), 16, ["sequence_length", "greater than or equal to 16"]),
        (("jsonl: {", "jsonl: {glob: [], "), 7, ["glob", "at least one pattern"]),
        (("tokenizer:", "tokeniser:"), 15, ["tokeniser", "did you mean 'tokenizer'"]),
        (("name: small", "name: small\n  bad: indent"), 2, ["mapping values are not allowed"]),
        (("stdlib\n", "stdlib\n    parquet: {path: x}\n"), 6, ["exactly one of", "jsonl, parquet"]),
        (("carry: [url]", "carry: [id]"), 7, ["id", "cannot be carried"]),
        (("carry: [url]", "carry: 5"), 7, ["carry", "valid list"]),
        (("seed: 3", "seed: 3\nplugins: 5"), 3, ["plugins", "valid list"]),
        (("latex: {inject: [", "latex: {inject: [["), 15, ["expected"]),
        (("vocab_sizes: [600", "vocab_sizes: [300, 250"), 15, ["vocab_sizes", "greater than or equal to 300"]),
        (("path: /", "path: ${home}/"), 7, ["a variable must be quoted"]),
        (("stages:", "variables: {home: x}\nstages: [${hoem}]\nx:"), 9, ["a variable must be quoted"]),
        (
            ("name: small", "name: ${nmae}\nvariables: {name: x}"),
            1,
            ["unknown variable ${nmae}", "did you mean 'name'"],
        ),
    ],
)
def test_a_wrong_recipe_names_the_line_and_the_nearest_key(
    eyas: Eyas, recipe: WriteRecipe, change: tuple[str, str], line: int, words: list[str]
) -> None:
    file = recipe()
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change, 1))
    ran = eyas("plan", file)
    assert ran.code == 3
    assert f"{file}:{line}:" in ran.err, ran.err
    for word in words:
        assert word in ran.err
    assert "Traceback" not in ran.err


def test_all_mistakes_are_named_at_once(eyas: Eyas, recipe: WriteRecipe) -> None:
    file = recipe(extra="sead: 1\ntolerance: much")
    ran = eyas("plan", file)
    assert "sead" in ran.err and "tolerance" in ran.err


def test_a_missing_recipe_and_a_glob_that_matches_nothing(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    assert "no such file" in eyas("run", tmp_path / "none.yaml").err
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = eyas("run", recipe(path=empty), "--runs", tmp_path / "runs")
    assert ran.code == 3 and "'stdlib'" in ran.err and "matches" in ran.err
    gone = eyas("run", recipe(path=tmp_path / "nowhere"), "--runs", tmp_path / "runs")
    assert "no such file or folder" in gone.err


def test_every_bad_record_is_in_the_ledger_with_its_place(run_on: Callable[..., Ran], tmp_path: Path) -> None:
    lines = [
        GOOD.encode(),
        b'{"text": "cut off\n',
        b'{"texte": "another field"}\n',
        b'{"text": null}\n',
        b'{"text": 7}\n',
        b'["no object"]\n',
        b'{"text": "bad \xff byte"}\n',
        b'{"text": "lone \\ud800 surrogate"}\n',
        b"\n",
        b'{"text": ""}\n',
    ]
    ran = run_on({"a.jsonl": b"".join(lines)})
    assert ran.code == 0, ran.err
    rows = decisions(tmp_path).filter(pl.col("stage") == "read").sort("id")
    assert rows.height == len(lines), "each line is booked once"
    reasons = rows["reason"].to_list()
    assert reasons == [
        None, "broken_json", "no_text", "no_text", "no_text", "not_an_object", "broken_json", "broken_json", "empty", "empty",
    ]  # fmt: skip
    assert rows["kept"].to_list() == [True] + [None] * 7 + [False] * 2
    for number, detail in enumerate(rows["detail"][1:], 2):
        assert f"line {number}" in detail
    assert "'text' is missing" in rows["detail"][2] and "texte" in rows["detail"][2]


def test_too_many_bad_records_stop_the_run_with_examples(run_on: Callable[..., Ran], tmp_path: Path) -> None:
    files = {"a.jsonl": GOOD.encode() * 50 + b"{broken\n"}
    ran = run_on(files, extra="tolerance: 0.01")
    assert ran.code == 6
    for word in ("1 of 51", "1.96%", "tolerance of 1.00%", "broken_json", "line 51", "raise `tolerance:`"):
        assert word in ran.err, ran.err
    assert run_on(files, extra="tolerance: 0.02").code == 0


def test_a_truncated_archive_stops_the_run_and_names_the_file(run_on: Callable[..., Ran]) -> None:
    whole = gzip.compress(b"".join(GOOD.encode() + str(i).encode() * 50 + b"\n" for i in range(200)))
    ran = run_on({"a.jsonl.gz": whole[: len(whole) // 2]})
    assert ran.code == 3 and "a.jsonl.gz: truncated" in ran.err and "exclude" in ran.err


def test_text_files_that_are_no_text(eyas: Eyas, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "good.txt").write_text("A plain text.\n")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "latin.txt").write_bytes("Das ist schön".encode("latin-1"))
    (folder / "loop.txt").symlink_to(folder / "nowhere.txt")
    file = tmp_path / "r.yaml"
    file.write_text(
        f"name: small\ntolerance: 1.0\nsources: [{{name: t, files: {{path: {folder}, glob: ['*.txt']}}}}]\nstages: []\n"
    )
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    rows = decisions(tmp_path)
    found = {
        (row["detail"].split(":")[0].rsplit("/", 1)[-1], row["reason"], row["kept"])
        for row in rows.iter_rows(named=True)
    }
    assert found == {
        ("good.txt", None, True),
        ("empty.txt", "empty", False),
        ("latin.txt", "not_utf8", None),
        ("loop.txt", "unreadable", None),
    }


def test_one_line_of_100_mb(run_on: Callable[..., Ran], tmp_path: Path) -> None:
    huge = json.dumps({"text": "ab cd " * 17_000_000}).encode() + b"\n"
    ran = run_on({"a.jsonl": GOOD.encode() + huge + GOOD.encode()})
    assert ran.code == 0, ran.err
    rows = decisions(tmp_path).filter(pl.col("stage") == "read")
    assert rows["reason"].to_list() == [None, "too_large", None]
    assert "102,000,000 bytes" in rows["detail"][1] and "max_document_bytes" in rows["detail"][1]


PLUGIN = '''
from eyas.corpus import Filter, Mapper, Verdict
STAGES = {name: f"plugin_stage:{name}" for name in ("Fussy", "Forgetful", "Thief", "Undecided")}

class Fussy(Filter):
    """Raises on some documents."""
    word: str
    def judge(self, docs):
        for text in docs.column("text").to_pylist():
            if self.word in text:
                raise KeyError("I will not read that")
        return Verdict.of([True] * docs.num_rows)

class Forgetful(Filter):
    """Gives a verdict on all documents but the last."""
    def judge(self, docs):
        return Verdict.of([True] * (docs.num_rows - 1))

class Thief(Mapper):
    """Loses a document."""
    def map(self, docs):
        return docs.slice(1)

class Undecided(Mapper):
    """Changes ids."""
    def map(self, docs):
        import pyarrow as pa
        return docs.set_column(0, "id", pa.array([7] * docs.num_rows, pa.uint64()))
'''


def test_a_stage_that_raises_on_one_document_costs_that_document(run_on: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "plugin_stage.py").write_text(PLUGIN)
    lines = [json.dumps({"text": f"document {i}{' forbidden' if i == 13 else ''}"}) for i in range(50)]
    content = {"a.jsonl": ("\n".join(lines) + "\n").encode()}
    stages = " [Fussy: {word: forbidden}]"
    ran = run_on(content, extra="plugins: [plugin_stage]\ntolerance: 0.05", stages=stages)
    assert ran.code == 0, ran.err
    rows = decisions(tmp_path).filter(pl.col("stage") == "Fussy")
    assert rows.height == 50 and rows["kept"].null_count() == 1 and rows["kept"].sum() == 49
    bad = rows.filter(pl.col("kept").is_null())
    assert bad["reason"].item() == "KeyError" and "I will not read that" in bad["detail"].item()
    assert "a.jsonl#14" in bad["detail"].item()
    stopped = run_on(content, extra="plugins: [plugin_stage]\ntolerance: 0.01", stages=stages)
    assert stopped.code == 6 and "I will not read that" in stopped.err and "tolerance" in stopped.err


def test_a_stage_that_always_raises_stops_the_run(run_on: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "plugin_stage.py").write_text(PLUGIN)
    content = {"a.jsonl": (json.dumps({"text": "a document"}) + "\n").encode() * 200}
    ran = run_on(content, extra="plugins: [plugin_stage]\ntolerance: 1.0", stages=" [Fussy: {word: a}]")
    assert ran.code == 4 and "'Fussy' raised on" in ran.err


@pytest.mark.parametrize("stage", ["Forgetful", "Thief", "Undecided"])
def test_books_that_do_not_balance_fail_the_run(run_on: Callable[..., Ran], tmp_path: Path, stage: str) -> None:
    (tmp_path / "plugin_stage.py").write_text(PLUGIN)
    ran = run_on({"a.jsonl": GOOD.encode() * 5}, extra="plugins: [plugin_stage]", stages=f" [{stage}]")
    assert ran.code == 5 and stage in ran.err and ("do not balance" in ran.err or "changed ids" in ran.err)
    assert not (tmp_path / "runs/small/curated").exists() and not (tmp_path / "runs/small/manifest.json").exists()


def test_a_run_folder_that_cannot_be_written(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    ran = eyas("run", recipe(), "--workers", "0", "--runs", tmp_path / "file")
    assert ran.code == 8 and "cannot be written" in ran.err and "--runs" in ran.err


def test_a_full_disk_stops_the_run_and_a_later_run_goes_on(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the same OSError at the same write()."""
    file = recipe(products="")
    command = [
        sys.executable,
        "-m",
        "eyas.pipelines.cli.app",
        "run",
        str(file),
        "--workers",
        "0",
        "--runs",
        str(tmp_path / "runs"),
    ]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    ran = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120)
    assert ran.returncode == 8 and "File too large" in ran.stderr, ran.stderr
    assert not list((tmp_path / "runs").rglob("*.tmp")), "half a file was left behind"
    assert eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs").code == 0


def test_a_ray_address_that_does_not_answer(eyas: Eyas, recipe: WriteRecipe, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    ran = eyas("run", recipe(), "--ray-address", f"127.0.0.1:{port}", "--runs", tmp_path / "runs")
    assert ran.code == 7 and "no Ray cluster answers" in ran.err and "ray start --head" in ran.err
    assert time.monotonic() - started < 60
    assert "host:port" in eyas("run", recipe(), "--ray-address", "nonsense", "--runs", tmp_path / "runs").err


@pytest.mark.slow
def test_a_port_where_something_else_than_ray_listens(recipe: WriteRecipe, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        command = [sys.executable, "-m", "eyas.pipelines.cli.app", "run", str(recipe()), "--ray-address", address]
        ran = subprocess.run([*command, "--runs", str(tmp_path / "runs")], capture_output=True, text=True, timeout=100)
    assert ran.returncode == 7 and "no Ray cluster answers" in ran.stderr, ran.stderr


class Endpoint(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that misbehaves as told."""

    mode = "good"
    asked = 0

    def do_POST(self) -> None:
        """Answers a chat completion."""
        type(self).asked += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = body["messages"][1]["content"].rpartition("number ")[2].split()[0]
        said = {"content": f"In document number {number} falcons are birds of prey, told of in an encyclopaedic tone."}
        if self.mode == "nonsense" and "number 3" in body["messages"][1]["content"]:
            self._send(200, b"<html>not what you asked for</html>")
        elif self.mode == "empty" and "number 3" in body["messages"][1]["content"]:
            self._send(200, json.dumps({"id": "x", "object": "chat.completion", "choices": []}).encode())
        elif self.mode == "broken":
            self._send(500, b'{"error": {"message": "out of order"}}')
        else:
            choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}
            self._send(200, json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def endpoint() -> Iterator[tuple[type[Endpoint], str]]:
    """A running endpoint and its URL."""
    handler = type("Handler", (Endpoint,), {"asked": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def documents(count: int) -> dict[str, bytes]:
    """JSON lines of `count` documents."""
    lines = [
        json.dumps({"text": f"This is document number {i} about falcons and their prey."}) + "\n" for i in range(count)
    ]
    return {"a.jsonl": "".join(lines).encode()}


def rewrite(url: str) -> str:
    """A rewrite stage against `url` that gives up soon."""
    return f" [rewrite: {{endpoint: '{url}', model: m, retries: 1, timeout: 5}}]"


def test_an_endpoint_that_works(
    run_on: Callable[..., Ran], endpoint: tuple[type[Endpoint], str], tmp_path: Path
) -> None:
    ran = run_on(documents(6), stages=rewrite(endpoint[1]))
    assert ran.code == 0, ran.err
    curated = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet")
    made = curated.filter(pl.col("source") == "rewrite")
    assert curated.height == 12 and made.height == 6 and made["id"].is_unique().all()
    assert [parents[0] for parents in made["parent"]] == curated.filter(pl.col("source") == "stdlib")["id"].to_list()
    again = run_on(documents(6), stages=rewrite(endpoint[1]))
    assert again.code == 0 and endpoint[0].asked == 6, "what was paid for once is kept"


@pytest.mark.parametrize("mode", ["nonsense", "empty"])
def test_an_endpoint_that_talks_nonsense_costs_that_document(
    run_on: Callable[..., Ran], endpoint: tuple[type[Endpoint], str], tmp_path: Path, mode: str
) -> None:
    endpoint[0].mode = mode
    ran = run_on(documents(6), stages=rewrite(endpoint[1]))
    assert ran.code == 0, ran.err
    rows = decisions(tmp_path).filter(pl.col("stage") == "rewrite")
    assert rows["kept"].null_count() == 1 and rows["kept"].sum() == 5
    assert rows.filter(pl.col("kept").is_null())["reason"].item() == "generation_failed"


def test_an_endpoint_that_is_down_or_out_of_order_stops_the_run(
    run_on: Callable[..., Ran], endpoint: tuple[type[Endpoint], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    endpoint[0].mode = "broken"
    ran = run_on(documents(3), stages=rewrite(endpoint[1]))
    assert ran.code == 4 and "answered 500" in ran.err and endpoint[1] in ran.err
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    down = run_on(documents(3), stages=rewrite(url))
    assert down.code == 4 and "does not answer" in down.err and "endpoint:" in down.err
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or b"sk-secret" not in path.read_bytes(), path
    assert "sk-secret" not in ran.err + ran.out + down.err + down.out
