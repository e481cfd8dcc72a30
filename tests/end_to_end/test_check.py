"""`eyas check`: what cannot work is found before the run, and a run does the cheap part of it by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from harness import Ran

Eyas = Callable[..., Ran]
TINY = "{d_model: 16, d_ff: 16, layers: 1, head_dim: 8, ssm_heads: 2, ssm_head_dim: 8, ssm_state: 4, chunk_size: 8}"
PRODUCTS = f"tokenizer: {{vocab_sizes: [310]}}\nshards: {{sequence_length: 128}}\ntrain: {{model: {TINY}, steps: 2}}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A recipe over 300 records with a score."""
    (tmp_path / "in").mkdir()
    text = "The birds of the forest sing in the morning, and the fox listens to what they have to say about it. "
    records = [{"text": f"{i}. {text * 5}", "score": i, "lang": "xx"} for i in range(300)]
    (tmp_path / "in/a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))

    def call(stages: str = "[gopher_quality, exact_dedup]", products: str = "", source: str = "path: in") -> Path:
        file = tmp_path / "c.yaml"
        file.write_text(f"name: c\nsources: [{{name: s, jsonl: {{{source}}}}}]\nstages: {stages}\n{products}")
        return file

    return call


def check(eyas: Eyas, file: Path, *options: str | Path) -> Ran:
    return eyas("check", file, "--workers", "0", "--runs", file.parent / "runs", *options)


def test_what_is_in_order_is_said_and_nothing_is_left_behind(eyas: Eyas, write: Callable[..., Path]) -> None:
    file = write(products=PRODUCTS)
    ran = check(eyas, file)
    assert ran.code == 0 and "0 errors" in ran.out, ran.out + ran.err
    for word in ("sources", "columns", "packages", "disk", "model", "read: s 200 → 200", "exact_dedup: s 200"):
        assert word in ran.out, ran.out
    assert not list((file.parent / "runs").rglob("*.parquet"))
    found = json.loads(check(eyas, file, "--json").out)
    assert {one["level"] for one in found} == {"ok"}


@pytest.mark.parametrize(
    ("stages", "source", "message"),
    [
        ("[{language: {keep: [eng]}}]", "path: in", "eng (it says en)"),
        ("[{language: {keep: [German, fr]}}]", "path: in", "German (it says de)"),
        ("[{threshold: {column: scor, min: 1}}]", "path: in", "did you mean 'score'"),
        ("[{threshold: {column: lang, min: 1}}]", "path: in", "holds string, not numbers"),
        ("[{where: {keep: 'lang > 3'}}]", "path: in", "cannot compare string"),
        ("[{exact_dedup: {keep: highest(lang)}}]", "path: in", "needs numbers"),
        ("[]", "path: in, columns: [skore]", "did you mean 'score'"),
        ("[]", "path: in, text_column: txt", "no record has the field 'txt'"),
    ],
)
def test_what_cannot_work_is_named_by_check_and_by_run(
    eyas: Eyas, write: Callable[..., Path], stages: str, source: str, message: str
) -> None:
    file = write(stages, source=source)
    ran = check(eyas, file)
    assert ran.code == 1 and message in ran.out, ran.out + ran.err
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 3 and message in ran.err and "[1/" not in ran.out


def test_paths_say_where_was_looked(eyas: Eyas, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(source="path: inn")
    (file.parent / "elsewhere/inn").mkdir(parents=True)
    monkeypatch.chdir(file.parent / "elsewhere")
    ran = check(eyas, file)
    assert ran.code == 3 and f"{file.parent}/inn" in ran.err and f"there is {file.parent}/elsewhere/inn" in ran.err


def test_a_missing_package_is_found_before_anything_is_made(
    eyas: Eyas, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import eyas.pipelines.engine.requirements as module

    def find(name: str) -> ModuleType | None:
        return None if name == "torch" else module

    monkeypatch.setattr(module, "find_spec", find)
    file = write(products=PRODUCTS)
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 3 and "`train` needs the package torch" in ran.err and "pip install 'eyas[train]'" in ran.err
    assert not (file.parent / "runs/c/passes").exists()


def test_a_model_that_does_not_fit_its_vocabulary(eyas: Eyas, write: Callable[..., Path], tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    ran = eyas("run", write(products=PRODUCTS), "--workers", "0", "--runs", tmp_path / "first")
    assert ran.code == 0, ran.err
    start = f"train: {{start_from: {tmp_path}/first/c/model, steps: 2}}"
    other = PRODUCTS.split("train:")[0].replace("310", "320") + start
    ran = check(eyas, write(products=other))
    assert ran.code == 1 and "vocabulary of 310" in ran.out and "vocab_sizes: [310]" in ran.out, ran.out
    few = PRODUCTS.split("train:")[0].replace("310", "200000") + "train: {weights: 100000, steps: 2}"
    ran = check(eyas, write(products=few))
    assert ran.code == 1 and "too few for a vocabulary of 200,000" in ran.out, ran.out


def test_a_full_disk(eyas: Eyas, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import eyas.pipelines.engine.requirements as module

    class Usage:
        free = 10_000

    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: Usage)
    file = write()
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 8 and "10.0 KB free" in ran.err and "max_bytes" in ran.err, ran.err


def test_a_stage_that_fails_on_real_records_is_found(eyas: Eyas, write: Callable[..., Path]) -> None:
    file = write("[fussy]")
    (file.parent / "fussy.py").write_text(
        "from eyas.corpus import Filter\nSTAGES = {'fussy': 'fussy:Fussy'}\n"
        "class Fussy(Filter):\n    def judge(self, docs):\n        raise RuntimeError('it never works')\n"
    )
    file.write_text(file.read_text() + "plugins: [fussy]\n")
    ran = check(eyas, file)
    assert ran.code == 1 and "it never works" in ran.out, ran.out


def test_workers_are_asked_too(write: Callable[..., Path], start: Callable[..., object]) -> None:
    process = start("check", write(), "--workers", "1", "--runs", write().parent / "runs")
    out = process.communicate(timeout=120)[0]  # type: ignore[attr-defined]
    assert "workers" in out and "0 errors" in out, out


def test_carry_goes_on_working_with_a_word_on_what_replaces_it(eyas: Eyas, write: Callable[..., Path]) -> None:
    file = write("[]", source="path: in, carry: [score]")
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 0 and "`columns: [score]` keeps their types" in ran.out, ran.out
