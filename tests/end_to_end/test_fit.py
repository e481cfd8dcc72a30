"""`eyas fit`: thresholds by language from a run's scores, and the run that then uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from harness import Ran

ENGLISH = "the and of to in that it was for on are as with his they at be this have from"
GERMAN = "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als"
WORDS = {"en": ENGLISH.split(" "), "de": GERMAN.split(" ")}
STAGES = """
  - language: {keep: null}
  - gopher_quality: {min_doc_words: 40, min_avg_word_length: 2.8, min_stop_words: null{by}}
  - fineweb_quality: {line_punct_thr: 0.3, short_line_thr: null{by}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """German and English texts of different lengths; some lines end in a full stop, fewer in German."""
    path = tmp_path / "texts"
    path.mkdir()
    records = []
    for language, words in WORDS.items():
        for number in range(120):
            length = 20 + number if language == "en" else 10 + number // 2
            text = "".join(
                words[(number * 7 + i * i) % 20]
                + (".\n" if i % (7 + number % (20 if language == "en" else 40)) == 6 else " ")
                for i in range(length)
            )
            records.append({"text": text})
    (path / "all.jsonl").write_text("\n".join(map(json.dumps, records)))
    return path


def dropped(runs: Path, name: str) -> dict[tuple[str, str], int]:
    """How many documents each language loses to each reason."""
    ledger = pq.read_table(runs / name / "ledger").to_pylist()
    languages = {row["id"]: row["detail"] for row in ledger if row["stage"] == "language"}
    found: dict[tuple[str, str], int] = {}
    for row in ledger:
        if row["stage"] != "language" and not row["kept"]:
            key = (languages[row["id"]], row["reason"])
            found[key] = found.get(key, 0) + 1
    return found


def test_the_same_share_fails_in_every_language(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], folder: Path, tmp_path: Path
) -> None:
    runs, thresholds = tmp_path / "runs", tmp_path / "thresholds.yaml"
    extra = "tolerance: 1\n"
    before = recipe(stages=STAGES.replace("{by}", ""), products="", path=folder, extra=extra).rename(
        tmp_path / "a.yaml"
    )
    before.write_text(before.read_text().replace("carry: [url]", "carry: []"))
    assert eyas("run", before, "--runs", runs, "--workers", "0").code == 0
    ran = eyas("fit", runs / "small", "--min-documents", "100", "--out", thresholds)
    assert ran.code == 0, ran.err
    assert "fineweb_quality.line_punct_thr" in ran.out and f"by_language: {thresholds}" in ran.out
    fitted = json.loads(eyas("fit", runs / "small", "--min-documents", "100", "--json").out)
    assert {one["language"] for one in fitted} == {"de", "en"}
    after = tmp_path / "b.yaml"
    by = STAGES.replace("{by}", f", by_language: {thresholds}")
    after.write_text(before.read_text().replace(STAGES.replace("{by}", ""), by).replace("name: small", "name: after"))
    ran = eyas("run", after, "--runs", runs, "--workers", "0")
    assert ran.code == 0, ran.err
    first, second = dropped(runs, "small"), dropped(runs, "after")
    assert second["en", "gopher_short_doc"] == first["en", "gopher_short_doc"]
    # What the recipe says itself comes first: the length was given, so it is not taken from the file.
    assert second["de", "gopher_short_doc"] == first["de", "gopher_short_doc"] > first["en", "gopher_short_doc"]


def test_errors_in_words(eyas: Callable[..., Ran], recipe: Callable[..., Path], tmp_path: Path) -> None:
    path = recipe(stages="\n  - exact_dedup\n", products="")
    runs = tmp_path / "runs"
    assert "not the folder of a run" in eyas("fit", runs / "small").err
    assert "takes the folder of a finished run" in eyas("fit", path).err
    assert "give the run's folder itself" in eyas("fit", path, "--runs", runs).err
    assert eyas("run", path, "--runs", runs, "--workers", "0").code == 0
    assert "no filter of this run has thresholds by language" in eyas("fit", runs / "small").err
