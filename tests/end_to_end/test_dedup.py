"""Deduplication through the command line: the same bytes however it is run, the alarm, indexes, and what people see."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from datasketch import MinHashLSH
from harness import Ran, digests

from eyas.filters.dedup.interop import load_minhashes, load_signatures, to_minhash

Eyas = Callable[..., Ran]
STAGES = """
  - exact_dedup: {by: url, url: true}
  - exact_dedup: {ignore_whitespace: true, keep: "newest(date)"}
  - minhash_dedup: {keep: "source(wiki), longest", index: true, signatures: true}
  - line_dedup: {min_characters: 30}
  - substring_dedup: {min_words: 25}
"""


def make_corpus(folder: Path, seed: int = 0, documents: int = 300) -> Path:
    """Random words with copies of every kind: by address, text, few words, lines and long stretches."""
    chance = random.Random(seed)
    vocabulary = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]
    notice = "This page may be copied by anyone who likes to do so, even in part."
    stretch = " ".join(chance.choice(vocabulary) for _ in range(60))
    rows = []
    for number in range(documents):
        words = [chance.choice(vocabulary) for _ in range(chance.randrange(60, 160))]
        text = " ".join(words)
        if number % 5 == 0:
            text = f"{text}\n{notice}\n"
        if number % 7 == 0:
            text = f"{text[:100]} {stretch} {text[100:]}"
        rows.append(
            {"text": text, "url": f"http://www.example.org/{number}", "date": f"20{chance.randrange(10, 25)}-01-01"}
        )
        if number % 4 == 0:
            words[chance.randrange(len(words))] = "changed"
            rows.append({**rows[-1], "text": " ".join(words), "url": f"http://example.org/{number}?near"})
        if number % 6 == 0:
            rows.append(
                {
                    **rows[-1],
                    "text": rows[-1]["text"] + " ",
                    "url": f"http://example.org/{number}?again",
                    "date": "2025-01-01",
                }
            )
        if number % 9 == 0:
            rows.append(
                {
                    **rows[-1],
                    "text": "other text altogether",
                    "url": rows[-1]["url"].replace("http:", "https:") + "/#top",
                }
            )
    chance.shuffle(rows)
    folder.mkdir(parents=True, exist_ok=True)
    for name, mine in (("web", rows[::2]), ("wiki", rows[1::2])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mine))
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe over a corpus of two sources."""

    def call(corpus: Path, stages: str = STAGES, name: str = "dedup", partition: str = "60KB", extra: str = "") -> Path:
        sources = "".join(
            f"  - name: {source}\n    jsonl: {{path: {corpus}, glob: ['{source}.jsonl'], carry: [url, date]}}\n"
            for source in ("web", "wiki")
        )
        file = tmp_path / f"{name}.yaml"
        file.write_text(
            f"name: {name}\nseed: 5\npartition_bytes: {partition}\n{extra}sources:\n{sources}stages:{stages}"
        )
        return file

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


def survivors(run: Path) -> pl.DataFrame:
    """What is left, without ids: they depend on the cut into partitions."""
    columns = ["source", "url", "text", "cluster_size", "repeated_share"]
    return (
        pl.read_parquet(run / "curated/*.parquet")
        .with_columns(pl.col("source").cast(pl.String))
        .select(columns)
        .sort(columns)
    )


def fates(run: Path) -> dict[str, int]:
    ledger = pl.read_parquet(run / "ledger/*.parquet")
    dropped = ledger.filter(~pl.col("kept"))
    return {
        f"{stage}: {reason}": count
        for stage, reason, count in dropped.group_by("stage", "reason").len().sort("stage", "reason").iter_rows()
    }


def test_every_stage_finds_its_copies_and_any_partition_size_leaves_the_same(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    found = []
    for partition in ("40KB", "64MB"):
        name = f"cut-{partition}"
        ran = eyas("run", write(corpus, name=name, partition=partition), "--workers", "0", "--runs", tmp_path / "runs")
        assert ran.code == 0, ran.err
        found.append((survivors(tmp_path / "runs" / name), fates(tmp_path / "runs" / name)))
    for frame, _ in found[1:]:
        assert frame.drop("repeated_share").equals(found[0][0].drop("repeated_share"))
    kinds = found[0][1]
    assert {kind.partition(":")[0] for kind in kinds} >= {"exact_dedup", "exact_dedup#2", "minhash_dedup"}
    assert all(counts == kinds for _, counts in found)
    curated = found[0][0]
    assert curated["text"].str.contains("may be copied by anyone").sum() == 1
    assert (curated["repeated_share"] > 0).any() and curated["cluster_size"].max() >= 2


def test_killed_with_two_workers_and_finished_by_one_it_leaves_the_same_bytes(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    recipe = write(corpus)
    assert eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "inline").code == 0
    expected = digests(tmp_path / "inline/dedup")
    process = start("run", recipe, "--workers", "2", "--runs", tmp_path / "ray")
    run, end = tmp_path / "ray/dedup", time.monotonic() + 60
    while not list(run.glob("passes/*/entries/edges/*.json")):
        assert process.poll() is None and time.monotonic() < end, "ended too early to be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "manifest.json").exists()
    again = start("run", recipe, "--workers", "1", "--runs", tmp_path / "ray")
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0, out
    assert digests(run) == expected


def test_memory_changes_nothing_and_recomputes_nothing(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    assert eyas("run", write(corpus), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    less = STAGES.replace("index: true,", "index: true, memory: 100MB, max_loss: 0.99,")
    ran = eyas("run", write(corpus, stages=less), "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 0 and "0 passes computed" in ran.out, ran.out + ran.err


def test_a_source_of_only_boilerplate_stops_the_run_and_the_report_shows_why(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    page = "Our shop is closed for the holidays, please come back later and thank you for your patience. " * 5
    rows = [
        {"text": f"{page} {number % 3}", "url": f"http://shop.example/{number}", "date": "2020-01-01"}
        for number in range(150)
    ]
    (corpus / "wiki.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = write(corpus, stages="\n  - minhash_dedup\n")
    ran = eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "runs")
    assert ran.code == 6
    assert "wiki: 149 of 150 documents (99.3%)" in ran.err and "web:" not in ran.err and "max_loss" in ran.err
    assert "report.html" in ran.err
    run = tmp_path / "runs/dedup"
    page_of = (run / "report.html").read_text()
    assert "rings" in page_of and "removals drawn at random" in page_of and "Our shop is closed" in page_of
    assert not (run / "manifest.json").exists() and not (run / "curated").exists()
    # The user looks, agrees, and goes on: nothing is computed twice.
    ran = eyas(
        "run",
        write(corpus, stages="\n  - minhash_dedup: {max_loss: 1}\n"),
        "--workers",
        "0",
        "--runs",
        tmp_path / "runs",
    )
    assert ran.code == 0 and "2 passes computed, 2 kept" in ran.out, ran.out
    # And a limit that is lowered afterwards is asked of what was done before.
    strict = write(corpus, stages="\n  - minhash_dedup\n")
    again = eyas("run", strict, "--workers", "0", "--runs", tmp_path / "runs")
    assert again.code == 6 and "wiki: 149 of 150" in again.err


def test_the_next_run_is_given_the_index_of_the_one_before(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    stages = "\n  - minhash_dedup: {index: true}\n"
    assert (
        eyas("run", write(corpus, stages=stages, name="monday"), "--workers", "0", "--runs", tmp_path / "runs").code
        == 0
    )
    kept = pl.read_parquet(tmp_path / "runs/monday/curated/*.parquet").height
    against = f"\n  - minhash_dedup: {{against: ['{tmp_path}/runs/monday'], max_loss: 1}}\n"
    recipe = write(corpus, stages=against, name="tuesday", extra="allow_empty: true\n")
    planned = eyas("plan", recipe, "--runs", tmp_path / "runs")
    assert f"against {kept:,} documents" in planned.out
    assert eyas("run", recipe, "--workers", "0", "--runs", tmp_path / "runs").code == 0
    assert pl.read_parquet(tmp_path / "runs/tuesday/curated/*.parquet").height == 0
    told = eyas("explain", tmp_path / "runs/tuesday", "web.jsonl#1")
    assert "in an earlier run" in told.out
    other = against.replace("max_loss: 1", "max_loss: 1, shingle_words: 4")
    refused = eyas("plan", write(corpus, stages=other, name="wednesday"), "--runs", tmp_path / "runs")
    assert refused.code == 3 and "shingle_words: 5 there, 4 here" in refused.err


def test_datasketch_finds_the_same_candidates(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    stages = "\n  - minhash_dedup: {signatures: true, verify_jaccard: 0.0}\n"
    assert eyas("run", write(corpus, stages=stages), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    run = tmp_path / "runs/dedup"
    signatures = {int(i): s for ids, table in load_signatures(str(run)) for i, s in zip(ids, table, strict=True)}
    lsh = MinHashLSH(num_perm=112, params=(14, 8))
    ours: dict[tuple[int, bytes], list[int]] = {}
    for document, minhash in load_minhashes(str(run)):
        lsh.insert(document, minhash)
        for band in range(14):
            ours.setdefault((band, signatures[document][8 * band : 8 * band + 8].tobytes()), []).append(document)
    met: dict[int, set[int]] = {document: {document} for document in signatures}
    for members in ours.values():
        for document in members:
            met[document] |= set(members)
    assert any(len(others) > 1 for others in met.values())
    for document, signature in signatures.items():
        assert set(lsh.query(to_minhash(signature))) == met[document]
    ledger = pl.read_parquet(run / "ledger/*.parquet")
    pairs = ledger.filter(pl.col("reason") == "near_duplicate")
    for document, detail in pairs.select("id", "detail").iter_rows():
        assert int(detail.split()[-1]) in met[document]
    with pytest.raises(ValueError, match="folders of signatures"):
        list(load_signatures(str(tmp_path)))


def test_plan_draws_the_curve_and_stages_explain_themselves(
    eyas: Eyas, write: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    stages = "\n  - minhash_dedup: {target: {jaccard: 0.8, price_of_missing: 4}}\n  - substring_dedup\n"
    planned = eyas("plan", write(corpus, stages=stages), "--runs", tmp_path / "runs")
    assert planned.code == 0 and "bands x" in planned.out and "█" in planned.out and "verify_jaccard" in planned.out
    for name in ("line_dedup", "substring_dedup", "exact_dedup", "minhash_dedup"):
        told = eyas("stages", name)
        assert told.code == 0 and "max_loss" in told.out and "memory" in told.out
    wrong = eyas("plan", write(corpus, stages="\n  - minhash_dedup: {keep: biggest}\n"), "--runs", tmp_path / "runs")
    assert wrong.code == 3 and "dedup.yaml" in wrong.err and "longest" in wrong.err
    for option in ("keep: 'source(wikki)'", "fold_digits: [wikki]"):
        ran = eyas("plan", write(corpus, stages=f"\n  - minhash_dedup: {{{option}}}\n"), "--runs", tmp_path / "runs")
        assert ran.code == 3 and "no source 'wikki'; did you mean 'wiki'" in ran.err
    missing = eyas("plan", write(corpus, stages="\n  - exact_dedup: {by: sha}\n"), "--runs", tmp_path / "runs")
    assert missing.code == 3 and "needs the column sha" in missing.err
