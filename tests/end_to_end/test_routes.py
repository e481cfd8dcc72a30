"""Stages for some documents: `only:` and `route:` keep of each source what its own rules keep alone."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from harness import Ran, digests

Eyas = Callable[..., Ran]
PROSE = "[{gopher_quality: {min_doc_words: 60}}, {gopher_repetition: {}}]"
CODE = "[{code_quality: {}}, {where: {keep: 'words > 40', reason: short}}]"
DEDUP = "exact_dedup: {max_loss: 1.0}"


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prose and code of the Python environment, with copies within each and across both."""
    folder = tmp_path_factory.mktemp("mixed")
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    code = [path.read_text() for path in sorted(stdlib.glob("*.py"))[:50] if path.stat().st_size < 30_000]
    prose = [doc for text in code for doc in text.split('"""')[1:2] if len(doc) > 100]
    prose += [text for path in sorted(stdlib.glob("pydoc_data/*.txt")) for text in [path.read_text()[:20_000]]]
    for name, texts in (("prose", [*prose, prose[0], code[0]]), ("code", [*code, code[1], code[0]])):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps({"text": t, "n": i}) + "\n" for i, t in enumerate(texts))
        )
    return folder


def write(folder: Path, corpus: Path, name: str, stages: str, sources: tuple[str, ...] = ("prose", "code")) -> Path:
    text = f"name: {name}\npartition_bytes: 60KB\nallow_empty: true\nalarms: {{floor: 0}}\nsources:\n"
    text += "".join(f"  - {{name: {s}, jsonl: {{path: {corpus}, glob: ['{s}.jsonl']}}}}\n" for s in sources)
    file = folder / f"{name}.yaml"
    file.write_text(f"{text}stages:\n{stages}")
    return file


def kept(folder: Path, name: str, source: str) -> pl.DataFrame:
    docs = pl.read_parquet(folder / f"runs/{name}/curated/*.parquet")
    return docs.filter(pl.col("source") == source).select("text", "n").sort("n")


def listed(stages: str) -> str:
    return "".join(f"  - {stage}\n" for stage in stages.split("\n") if stage)


ROUTES = listed(
    f"route: {{only: {{source: prose}}, stages: {PROSE}}}\nroute: {{only: {{source: [code]}}, stages: {CODE}}}\n"
    f"exact_dedup: {{max_loss: 1.0, only: {{source: code}}}}"
)


def test_each_source_keeps_what_its_own_rules_keep_alone(eyas: Eyas, mixed: Path, tmp_path: Path) -> None:
    runs = ("--workers", "0", "--runs", tmp_path / "runs")
    ran = eyas("run", write(tmp_path, mixed, "both", ROUTES), *runs)
    assert ran.code == 0 and "passed by" in ran.out, ran.err
    alone = {
        "prose": listed("gopher_quality: {min_doc_words: 60}\ngopher_repetition: {}"),
        "code": listed(f"code_quality: {{}}\nwhere: {{keep: 'words > 40', reason: short}}\n{DEDUP}"),
    }
    for source, stages in alone.items():
        ran = eyas("run", write(tmp_path, mixed, source, stages, (source,)), *runs)
        assert ran.code == 0, ran.err
        one = kept(tmp_path, source, source)
        assert one.height > 0 and one.equals(kept(tmp_path, "both", source))
    # code[0] is among the prose, too: there it was not compared.
    first = json.loads((mixed / "code.jsonl").read_text().splitlines()[0])["text"]
    assert (kept(tmp_path, "both", "code")["text"] == first).sum() <= 1


def test_books_balance_and_every_answer_knows_who_was_asked(eyas: Eyas, mixed: Path, tmp_path: Path) -> None:
    file = write(tmp_path, mixed, "both", ROUTES)
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    run = tmp_path / "runs/both"
    passes = json.loads((run / "manifest.json").read_text())["passes"]
    books = {label: of for p in passes for label, of in p["books"].items()}
    assert books["gopher_quality"]["code"]["passed"] == books["gopher_quality"]["code"]["documents"] > 0
    assert books["gopher_quality"]["prose"]["passed"] == 0 and books["exact_dedup"]["prose"]["kept"] == 0
    for of in books.values():
        for one in of.values():
            assert one["documents"] == one["kept"] + one["dropped"] + one["quarantined"] + one["passed"]
    plan = eyas("plan", file, "--runs", tmp_path / "runs")
    assert "only source = code" in plan.out and "only source = prose" in plan.out
    document = pl.read_parquet(run / "curated/*.parquet").filter(pl.col("source") == "code")["id"][0]
    found = eyas("explain", run, str(document))
    assert "passed by" in found.out and "only source = prose" in found.out, found.out
    what_if = json.loads(eyas("what-if", run, "gopher_quality.min_doc_words=1000000", "--json").out)
    text = json.dumps(what_if)
    before = {source: kept(tmp_path, "both", source).height for source in ("prose", "code")}
    assert f'"code": [{before["code"]}, {before["code"]}]' in text and f'"prose": [{before["prose"]}, 0]' in text, text


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("{source: [code]}", lambda d: d["source"] == "code"),
        ("{n: [1, 2, 3]}", lambda d: d["n"] in (1, 2, 3)),
        ("\"n % 2 = 0 AND source = 'prose'\"", lambda d: d["n"] % 2 == 0 and d["source"] == "prose"),
        ('"n IS NULL"', lambda d: False),
    ],
)
def test_conditions(eyas: Eyas, mixed: Path, tmp_path: Path, condition: str, asked: Callable[[Any], bool]) -> None:
    stages = listed(f"where: {{keep: 'words < 0', only: {condition}}}")
    ran = eyas("run", write(tmp_path, mixed, "c", stages), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    left = pl.read_parquet(tmp_path / "runs/c/curated/*.parquet").select("source", "n").to_dicts()
    whole = [
        {"source": source, "n": i}
        for source in ("prose", "code")
        for i in range(len((mixed / f"{source}.jsonl").read_text().splitlines()))
    ]
    assert sorted(map(str, left)) == sorted(str(d) for d in whole if not asked(d))


def test_columns_of_a_limited_stage_are_null_elsewhere_and_text_stays(eyas: Eyas, mixed: Path, tmp_path: Path) -> None:
    stages = listed(
        "language: {only: {source: prose}}\nmask_pii: {only: {source: prose}}\ntake_apart: {}".replace(
            "\ntake_apart: {}", ""
        )
    )
    ran = eyas("run", write(tmp_path, mixed, "l", stages), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0, ran.err
    docs = pl.read_parquet(tmp_path / "runs/l/curated/*.parquet")
    code = docs.filter(pl.col("source") == "code")
    assert (
        code["lang"].null_count() == code.height and docs.filter(pl.col("source") == "prose")["lang"].null_count() == 0
    )
    raw = [json.loads(line)["text"] for line in (mixed / "code.jsonl").read_text().splitlines()]
    assert code.sort("id")["text"].to_list() == raw and docs["id"].is_sorted()


@pytest.mark.slow
def test_workers_change_nothing(eyas: Eyas, mixed: Path, tmp_path: Path, start: Callable[..., Any]) -> None:
    file = write(tmp_path, mixed, "both", ROUTES)
    assert eyas("run", file, "--workers", "0", "--runs", tmp_path / "0").code == 0
    for workers in (1, 4):
        assert start("run", file, "--workers", str(workers), "--runs", tmp_path / str(workers)).wait(120) == 0
        assert digests(tmp_path / f"{workers}/both") == digests(tmp_path / "0/both")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("gopher_quality: {only: {source: cod}}", "no source 'cod'; did you mean 'code'"),
        ("gopher_quality: {only: {}}", "expected columns with their values"),
        ("gopher_quality: {only: 'avg(n) > 1'}", "several documents at once"),
        ("gopher_quality: {only: 'n >'}", "not an SQL expression"),
        ("route: {only: {source: code}}", "a condition and the stages under it"),
        ("route: {only: {source: code}, stages: [gopher]}", "gopher"),
        ("gopher_quality: {only: {kind: x}}", "needs the column 'kind'"),
        ("gopher_quality: {only: {n: x}}", "cannot be one of"),
    ],
)
def test_wrong_conditions_are_said_with_file_and_line(
    eyas: Eyas, mixed: Path, tmp_path: Path, stages: str, message: str
) -> None:
    file = write(tmp_path, mixed, "w", listed(stages))
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 3 and message in ran.err, (ran.code, ran.err)
    assert "cannot be one of" in message or f"{file}:9" in ran.err, ran.err


def test_routes_nest(eyas: Eyas, mixed: Path, tmp_path: Path) -> None:
    inner = "{route: {only: 'n > 2', stages: [{where: {keep: 'false', only: 'n < 5'}}]}}"
    ran = eyas(
        "run",
        write(tmp_path, mixed, "n", listed(f"route: {{only: {{source: code}}, stages: [{inner}]}}")),
        "--workers", "0", "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    numbers = kept(tmp_path, "n", "code")["n"].to_list()
    assert 3 not in numbers and 4 not in numbers and {0, 1, 2, 5} <= set(numbers)
    assert {3, 4} <= set(kept(tmp_path, "n", "prose")["n"].to_list())
