"""Command lines that must fail: each ends in its documented exit code and in words, never in a native abort."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.faults.lab import Lab, Trial

Line = tuple[list[str], int]
"""Arguments, and the exit code that the documentation gives (`eyas.errors`)."""


def _word(rng: random.Random) -> str:
    return (
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyz-_.é😀 0") for _ in range(rng.randint(1, 12))).strip("- .") or "x"
    )


def _recipe(folder: Path, **parts: str) -> str:
    """A recipe over three documents; `parts` replace its own."""
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in/a.jsonl").write_text('{"text": "one two three"}\n{"text": "four five"}\n{"text": "six"}\n')
    source = parts.get("source", f"{{name: a, jsonl: {{path: {folder / 'in'}}}}}")
    text = f"name: f\nsources: [{source}]\nstages: {parts.get('stages', '[]')}\n{parts.get('extra', '')}\n"
    path = folder / "f.yaml"
    path.write_text(text)
    return str(path)


def _run(recipe: str, folder: Path, *options: str) -> list[str]:
    return ["run", recipe, "--runs", str(folder / "runs"), *(options or ("--workers", "0"))]


def _no_option(folder: Path, rng: random.Random) -> Line:
    return [*_run(_recipe(folder), folder), f"--{_word(rng).replace(' ', '')}-zz"], 2


def _no_command(folder: Path, rng: random.Random) -> Line:
    return [f"{_word(rng)}-zz", "x"], 2


def _no_argument(folder: Path, rng: random.Random) -> Line:
    commands = ["run", "plan", "status", "report", "train", "generate", "what-if", "fit", "pack", "clean", "migrate"]
    return [rng.choice(commands)], 2


def _no_number(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder), folder, "--workers", rng.choice(["-1", "many", "1.5", "", "1e9"])), 2


def _no_recipe(folder: Path, rng: random.Random) -> Line:
    return _run(str(folder / f"{_word(rng)}.yaml"), folder), 3


def _random_bytes(folder: Path, rng: random.Random) -> Line:
    path = folder / "bytes.yaml"
    path.write_bytes(rng.randbytes(rng.randint(0, 300)))
    return _run(str(path), folder), 3


def _damaged_recipe(folder: Path, rng: random.Random) -> Line:
    path = Path(_recipe(folder))
    text = path.read_text()
    at = rng.randrange(text.index("sources"))
    path.write_text(text[:at] + rng.choice(["\t", "[", "}", ": :", "&", "*x ", '"']) + "\n" + text[at:])
    return _run(str(path), folder), 3


def _no_stage(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder, stages=f"['{_word(rng)}zz']"), folder), 3


def _no_stage_option(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder, stages=f"[{{gopher_quality: {{'{_word(rng)}': 3}}}}]"), folder), 3


def _no_value(folder: Path, rng: random.Random) -> Line:
    value = rng.choice(["many", "[1]", "{a: 1}", "-5", "1.5", "null"])
    return _run(_recipe(folder, extra=f"partition_bytes: {value}"), folder), 3


def _no_input(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder, source=f"{{name: a, jsonl: {{path: '{folder}/{_word(rng)}zz'}}}}"), folder), 3


def _no_match(folder: Path, rng: random.Random) -> Line:
    glob = rng.choice(["*.nothing", "**/x/*", "[", "a?b", "z"])
    return _run(_recipe(folder, source=f"{{name: a, jsonl: {{path: {folder}/in, glob: ['{glob}']}}}}"), folder), 3


def _no_variable(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder, extra="curated: {partition_by: ['${nothing}']}"), folder), 3


def _no_run(folder: Path, rng: random.Random) -> Line:
    place = str(folder / f"{_word(rng)}zz")
    lines = [
        ["explain", place, "1"],
        ["status", place],
        ["report", place],
        ["what-if", place, "a.b=1"],
        ["fit", place],
        ["pack", place, "--sequence-length", "64"],
        ["clean", place],
    ]
    return rng.choice(lines), 3


def _no_tokenizer(folder: Path, rng: random.Random) -> Line:
    return ["tokenizer", "encode", str(folder / f"{_word(rng)}zz"), "--text", "x"], 3


def _no_shards(folder: Path, rng: random.Random) -> Line:
    place = str(folder / f"{_word(rng)}zz")
    return rng.choice(
        [["shards", "check", place], ["shards", "show", place], ["train", place, "--out", place + "m"]]
    ), 3


def _no_model(folder: Path, rng: random.Random) -> Line:
    place = str(folder / f"{_word(rng)}zz")
    return rng.choice([["generate", place, "x"], ["export", "hf", place, place + "out"]]), 3


def _no_such_name(folder: Path, rng: random.Random) -> Line:
    return [rng.choice(["stages", "sources", "prompts"]), f"{_word(rng)}zz"], 3


def _damaged_input(folder: Path, rng: random.Random, *options: str) -> Line:
    recipe = _recipe(folder)
    (folder / "in/b.jsonl.gz").write_bytes(b"\x1f\x8b" + rng.randbytes(50))
    return _run(recipe, folder, *options), 3


def _damaged_input_on_ray(folder: Path, rng: random.Random) -> Line:
    return _damaged_input(folder, rng, "--workers", "2")


def _too_many_quarantined(folder: Path, rng: random.Random) -> Line:
    recipe = _recipe(folder)
    (folder / "in/b.jsonl").write_text("{\n" * rng.randint(2, 50))
    return _run(recipe, folder), 6


def _nothing_left(folder: Path, rng: random.Random) -> Line:
    return _run(_recipe(folder, stages=f"[{{gopher_quality: {{min_doc_words: {rng.randint(50, 900)}}}}}]"), folder), 6


def _broken_stage(folder: Path, rng: random.Random) -> Line:
    error = rng.choice(["KeyError", "ValueError", "RuntimeError"])
    (folder / "broken.py").write_text(
        "from eyas.corpus import Filter\n\n"
        "class Broken(Filter):\n"
        f"    def judge(self, docs):\n        raise {error}('x')\n\n"
        "STAGES = {'broken': 'broken:Broken'}\n"
    )
    return _run(_recipe(folder, stages="[broken]", extra="plugins: [broken]"), folder), 6


def _no_cluster(folder: Path, rng: random.Random) -> Line:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return _run(_recipe(folder), folder, "--ray-address", f"127.0.0.1:{port}"), 7


def _no_place(folder: Path, rng: random.Random) -> Line:
    (folder / "file").write_text("not a folder")
    place = rng.choice(["/proc/eyas", "/dev/null/runs", str(folder / "file"), "/sys/eyas"])
    return ["run", _recipe(folder), "--workers", "0", "--runs", place], 8


def _secret(folder: Path, rng: random.Random) -> Line:
    address = f"s3://AKIA{rng.randrange(10**9)}:{rng.randrange(10**12)}@bucket/x"
    return _run(_recipe(folder, source=f"{{name: a, jsonl: {{path: '{address}'}}}}"), folder), 3


LINES: dict[str, Callable[[Path, random.Random], Line]] = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        _no_option, _no_command, _no_argument, _no_number, _no_recipe, _random_bytes, _damaged_recipe, _no_stage,
        _no_stage_option, _no_value, _no_input, _no_match, _no_variable, _no_run, _no_tokenizer, _no_shards, _no_model,
        _no_such_name, _damaged_input, _damaged_input_on_ray, _too_many_quarantined, _nothing_left, _broken_stage,
        _no_cluster, _no_place, _secret,
    )
}  # fmt: skip


def command_line(name: str, lab: Lab, rng: random.Random) -> tuple[bool, bool]:
    """A failing command: whether its code is the documented one, and whether it ended in words."""
    folder = lab.folder / "commands"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    arguments, expected = LINES[name](folder, rng)
    environment = {**os.environ, "EYAS_TRACEBACK": ""}
    command = [sys.executable, "-m", "eyas", *arguments]
    ended = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=120)
    said = ended.stderr.decode(errors="replace")
    if ended.returncode != expected:
        print(f"{arguments}: code {ended.returncode}, expected {expected}: {said[-400:]}", flush=True)
    return ended.returncode == expected, bool(said.strip()) and "Traceback (most recent" not in said


def command_lines() -> dict[str, Trial]:
    """A trial for each kind of failing command."""
    return {f"command: {name}": partial(command_line, name) for name in LINES}
