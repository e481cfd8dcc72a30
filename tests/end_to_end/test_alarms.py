"""Alarms: a source or a language that vanishes stops the run, with its share and the floor; nothing kept is an error."""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from harness import Ran

Eyas = Callable[..., Ran]
MATH = r"Let $x_{%d}\in\mathbb{R}$ with $\|x\|\le %d$; then $$\sum_{k=1}^{%d} \frac{x^k}{k!} = e^x - R_{%d}(x).$$ "


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prose, code and mathematics: 40 documents of each."""
    folder = tmp_path_factory.mktemp("sources")
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    code = [path.read_text()[:3000] for path in sorted(stdlib.glob("*.py"))][:40]
    prose = "\n".join(topics[name] for name in sorted(topics))
    texts = {
        "web": [re.sub(r"[^A-Za-z ]+", " ", prose[i * 3000 : i * 3000 + 2800]) for i in range(40)],
        "code": code,
        "maths": ["".join(MATH % (i + k, k, i, k) for k in range(20)) for i in range(40)],
        "few": code[:5],
    }
    for name, of in texts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": t, "lang": "en"}) + "\n" for t in of))
    return folder


def write(folder: Path, sources: Path, stages: str, more: str = "", names: tuple[str, ...] = ("web", "code")) -> Path:
    text = f"name: a\n{more}\nsources:\n"
    text += "".join(f"  - {{name: {n}, jsonl: {{path: {sources}, glob: ['{n}.jsonl']}}}}\n" for n in names)
    file = folder / "a.yaml"
    file.write_text(f"{text}stages:\n{stages}")
    return file


def run(eyas: Eyas, file: Path) -> Ran:
    return eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")


PROSE = "  - gopher_quality: {max_non_alpha_words_ratio: 0.9, min_doc_words: 30}\n"
TOKENIZER = "tokenizer: {vocab_sizes: [400]}\n"


@pytest.mark.parametrize("vanishing", ["code", "maths"])
def test_a_source_that_vanishes_stops_the_run_before_anything_is_made(
    eyas: Eyas, sources: Path, tmp_path: Path, vanishing: str
) -> None:
    file = write(tmp_path, sources, PROSE, TOKENIZER, ("web", vanishing))
    ran = run(eyas, file)
    assert ran.code == 6 and f"source '{vanishing}'" in ran.err and "the floor is 5.0%" in ran.err, ran.err
    assert "gopher_quality dropped" in ran.err and "route:" in ran.err and "The report" in ran.err
    assert not (tmp_path / "runs/a/curated").exists() and (tmp_path / "runs/a/report.html").exists()
    # With a route, it is quiet, and says what it judged.
    ran = run(
        eyas, write(tmp_path, sources, PROSE.replace("}", ", only: {source: web}}"), TOKENIZER, ("web", vanishing))
    )
    assert ran.code == 0 and "health: ok: 2 sources" in ran.out and "5.0%" in ran.out, ran.err
    shares = {s["name"]: s for s in json.loads((tmp_path / "runs/a/manifest.json").read_text())["shares"]}
    assert shares[vanishing]["share"] == 1.0 and shares["web"]["floor"] == 0.05


def test_floors_by_source_and_in_general(eyas: Eyas, sources: Path, tmp_path: Path) -> None:
    assert run(eyas, write(tmp_path, sources, PROSE, "alarms: {source: {code: 0}}")).code == 0
    assert run(eyas, write(tmp_path, sources, PROSE, "alarms: {floor: 0}")).code == 0
    # The floor is no part of the work: nothing is computed again, and the alarm rings all the same.
    ran = run(eyas, write(tmp_path, sources, PROSE, "alarms: {source: {code: 0.5}}"))
    assert ran.code == 6 and "source 'code'" in ran.err and "50.0%" in ran.err and "1 passes computed" not in ran.out
    ran = run(eyas, write(tmp_path, sources, PROSE, "alarms: {source: {cod: 0}}"))
    assert ran.code == 3 and "did you mean 'code'" in ran.err
    assert (
        run(eyas, write(tmp_path, sources, PROSE, names=("web", "few"))).code == 0
    )  # 5 documents are too few to judge


def test_a_language_that_vanishes(eyas: Eyas, sources: Path, tmp_path: Path) -> None:
    german = tmp_path / "de.jsonl"
    text = "Die Vögel fliegen im Herbst nach Süden, weil sie dort mehr Futter finden als bei uns. "
    german.write_text("".join(json.dumps({"text": text * (9 + i)}) + "\n" for i in range(30)))
    web = (sources / "web.jsonl").read_text()
    mixed = tmp_path / "in"
    mixed.mkdir()
    (mixed / "web.jsonl").write_text(german.read_text() + web)
    stages = "  - language: {keep: [en, de], min_score: 0.3}\n  - gopher_quality: {min_doc_words: 30}\n"
    ran = run(eyas, write(tmp_path, mixed, stages, names=("web",)))
    assert ran.code == 6 and "language 'de': 0 of 30" in ran.err and "source" not in ran.err.split("\n")[0], ran.err
    assert "alarms: {lang: {de: 0}}" in ran.err
    assert run(eyas, write(tmp_path, mixed, stages, "alarms: {lang: {de: 0}}", ("web",))).code == 0
    # A language that the recipe does not keep is no loss.
    ran = run(eyas, write(tmp_path, mixed, stages.replace("en, de", "en"), names=("web",)))
    assert ran.code == 0 and "1 language" in ran.out, ran.err


@pytest.mark.parametrize("stage", ["where: {keep: 'words < 0'}", "language: {keep: [fi], min_score: 0.9}"])
def test_nothing_kept_is_an_error(eyas: Eyas, sources: Path, tmp_path: Path, stage: str) -> None:
    ran = run(eyas, write(tmp_path, sources, f"  - {stage}\n", names=("few",)))
    assert ran.code == 6 and "kept none of its 5 documents" in ran.err and f"{tmp_path}/a.yaml:" in ran.err, ran.err
    assert "allow_empty" in ran.err
    more = "allow_empty: true"
    assert run(eyas, write(tmp_path, sources, f"  - {stage}\n", more, ("few",))).code == 0


def test_what_nobody_was_asked_about_is_not_nothing(eyas: Eyas, sources: Path, tmp_path: Path) -> None:
    ran = run(eyas, write(tmp_path, sources, "  - where: {keep: 'words < 0', only: \"lang = 'xx'\"}\n", names=("few",)))
    assert ran.code == 0, ran.err
