"""Each benchmark on a few kilobytes: the JSON is whole, results that should be equal are. No speed is asserted."""

from __future__ import annotations

import gzip
import importlib
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import common
from benchmarks.common import Claim, Options, Report, in_turns, read_texts
from benchmarks.filters import words_by

CLAIM = {"name", "ours", "peer", "peer_name", "unit", "ratio", "goal", "holds"}
STANDARD_LIBRARY = Path(json.__file__).parent
SCRIPTS = (
    "carried_columns",
    "dedup",
    "encoding",
    "filters",
    "language",
    "loader",
    "packing",
    "tokenizer_training",
    "trainer",
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A tiny model's threads only wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def measured(script: str, folder: Path, *more: str, megabytes: str = "0.02") -> dict[str, Any]:
    out = folder / f"{script}.json"
    options = ["--corpus", str(STANDARD_LIBRARY), "--megabytes", megabytes, "--rounds", "1", "--json", str(out), *more]
    assert importlib.import_module(f"benchmarks.{script}").main(options) in (0, 1)
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def check(result: dict[str, Any]) -> None:
    assert set(result) == {"machine", "claims", "checked", "skipped"}
    assert result["machine"]["cores"] >= 1 and result["machine"]["packages"]["numba"]
    assert result["claims"]
    for claim in result["claims"]:
        assert set(claim) == CLAIM
        assert claim["ours"] > 0 and math.isfinite(claim["ours"])
        assert claim["name"] and claim["unit"] and claim["goal"].startswith(">= ")
        if claim["peer"] is None:
            assert claim["ratio"] is None
            assert (claim["holds"] is None) == any(str(claim["peer_name"]) in line for line in result["skipped"])
        else:
            assert claim["ratio"] == pytest.approx(claim["ours"] / claim["peer"])
            assert claim["holds"] in (True, False)


# The trainer's compares with transformers, which takes half a minute to import and step.
@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=pytest.mark.slow) if name == "trainer" else name for name in SCRIPTS]
)
def test_a_script_writes_its_claims(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("benchmarks.trainer"), "SHAPE", {"layers": 1})
    megabytes = "0.004" if script == "trainer" else "0.02"
    result = measured(script, tmp_path, megabytes=megabytes)
    check(result)
    assert result["checked"]
    assert not [line for line in result["checked"] if "UNEQUAL" in line]


@pytest.mark.slow
def test_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The real scripts run above; here one stands in for the slowest, and the table is looked at."""
    report = Report()
    report.skip("training step", 7.0, "transformers", "tokens/s", 3, "is not installed")
    monkeypatch.setattr(importlib.import_module("benchmarks.trainer"), "measure", lambda options: report)
    result = measured("__main__", tmp_path)
    check(result)
    assert len(result["claims"]) > len(SCRIPTS)
    assert "training step: transformers is not installed" in result["skipped"]
    told = capsys.readouterr().out
    assert all(name in told for name in ("four filters", "MinHash", "packing", "training step", "load"))


def test_a_peer_that_is_not_there_is_skipped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for script in ("filters", "dedup", "trainer"):
        monkeypatch.setattr(importlib.import_module(f"benchmarks.{script}"), "installed", lambda module: False)
    for script, peers in (
        ("filters", ["datatrove"]),
        ("dedup", ["polars_textproc", "datatrove", "datasketch", "rensa"]),
    ):
        result = measured(script, tmp_path)
        check(result)
        against = [claim for claim in result["claims"] if claim["peer_name"] is not None]
        assert len(against) >= len(peers)
        assert all(claim["peer"] is None and claim["holds"] is None for claim in against)
        assert all(any(peer in line for line in result["skipped"]) for peer in peers)
    skipped = importlib.import_module("benchmarks.trainer").measure(Options(STANDARD_LIBRARY, 0.01, 1)).skipped
    assert skipped == ["training step: torch and transformers not installed"]


def test_unequal_results_are_no_success() -> None:
    report = Report()
    report.against("a", 100.0, 1.0, "peer", "docs/s", 20.0, equal=False)
    report.against("b", 100.0, 1.0, "peer", "docs/s", 20.0)
    report.against("c", 19.0, 1.0, "peer", "docs/s", 20.0)
    report.alone("d", 19.0, "docs/s", 20.0)
    assert [claim.holds for claim in report.claims] == [False, True, False, False]
    assert report.claims[1] == Claim("b", 100.0, 1.0, "peer", "docs/s", 100.0, ">= 20 x", True)


@pytest.mark.parametrize(
    ("script", "peer", "wrong"),
    [
        ("filters", "our_words", lambda texts: words_by(lambda text: ["the"], lambda text: [text])),
        ("packing", "twin", lambda lengths: [0] * len(lengths)),
    ],
)
def test_a_wrong_result_is_seen(
    script: str, peer: str, wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module(f"benchmarks.{script}"), peer, wrong)
    result = measured(script, tmp_path)
    assert [line for line in result["checked"] if "UNEQUAL" in line]
    assert False in [claim["holds"] for claim in result["claims"]]


def test_contenders_take_turns_after_a_round_that_is_not_timed() -> None:
    calls: list[str] = []

    def contender(name: str) -> str:
        calls.append(name)
        return name.upper()

    timed = in_turns({name: lambda name=name: contender(name) for name in "ab"}, rounds=3)  # type: ignore[misc]
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert timed.results == {"a": "A", "b": "B"}
    assert {name: len(seconds) for name, seconds in timed.seconds.items()} == {"a": 3, "b": 3}
    assert common.Timed({"a": [4.0, 1.0, 2.0]}, {}).rate("a", 10) == 5.0


def test_text_that_is_not_utf8_or_empty_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.md").write_text("text é")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "large.txt").write_text("x" * 5000)
    (tmp_path / "data.bin").write_bytes(b"no text")
    assert read_texts(Options(tmp_path, 0.001, 1)) == ["text é"]
    assert len(read_texts(Options(tmp_path, 1, 1))) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--corpus", "/nowhere"], "no such file or folder: /nowhere"),
        (["--megabytes", "0.000001"], "raise --megabytes"),
        (["--megabytes", "0"], "expected a number above 0"),
        (["--rounds", "0"], "at least one is needed"),
        (["--json", "/nowhere/out.json"], "there is no folder /nowhere"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        measured("packing", tmp_path, *more)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_near_duplicates_are_judged_by_brute_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    words = [f"w{i}" for i in range(2000)]
    lines = []
    for _ in range(60):
        text = [chance.choice(words) for _ in range(80)]
        for edits in (0, 1, 4):
            copy = list(text)
            for at in chance.sample(range(80), edits):
                copy[at] = chance.choice(words)
            lines.append(json.dumps({"text": " ".join(copy)}))
    with gzip.open(tmp_path / "set.jsonl.gz", "wt") as file:
        file.write("\n".join(lines))
    report = importlib.import_module("benchmarks.near_duplicates").measure(Options(tmp_path, 1, 1))
    assert [claim.holds for claim in report.claims] == [True, True]
    assert "of them truly similar" in report.checked[-1] and "UNEQUAL" not in report.checked[-1]
    # A run whose removals are wrong is found out.
    module = importlib.import_module("benchmarks.near_duplicates")
    monkeypatch.setattr(module, "_run", lambda texts: [None, *range(len(texts) - 1)])
    assert "UNEQUAL" in module.measure(Options(tmp_path, 1, 1)).checked[-1]
