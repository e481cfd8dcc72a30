"""Every deduplicating stage on documents that break naive code, and on corpora of one kind only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from dedup_driver import run
from hostile_documents import SMALL

from eyas.corpus import part
from eyas.corpus.stage import CorpusStage
from eyas.filters.dedup.exact import ExactDedup
from eyas.filters.dedup.lines import LineDedup
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.filters.dedup.substring import SubstringDedup
from eyas.text_kernels.words.words import words

STAGES: dict[str, Callable[[], CorpusStage]] = {
    "exact": ExactDedup,
    "exact, normalised": lambda: ExactDedup(ignore_case=True, ignore_whitespace=True),
    "minhash": MinhashDedup,
    "minhash, folded": lambda: MinhashDedup(fold_digits=True, skip_punctuation=True, shingle_words=2),
    "minhash, target": lambda: MinhashDedup(target={"jaccard": 0.9, "lanes": 64}),
    "lines": LineDedup,
    "lines, one character": lambda: LineDedup(min_characters=1, least_words=0),
    "paragraphs": lambda: LineDedup(unit="paragraph", min_characters=1),
    "bytes": lambda: SubstringDedup(min_bytes=16),
    "words": lambda: SubstringDedup(min_words=4, least_words=0),
    "words, folded": lambda: SubstringDedup(min_words=4, fold_case=True, fold_digits=True, action="mask"),
    "bytes, masked": lambda: SubstringDedup(min_bytes=16, action="mask", filler="[…]"),
}


def has_words(text: str) -> bool:
    return len(words(pa.array([text], pa.large_string()))[0]) > 0


@pytest.mark.parametrize("name", STAGES)
def test_hostile_documents_and_their_copies(tmp_path: Path, name: str) -> None:
    """All of them once, then all again: the first of each stays as it is, and the audit agrees with every removal."""
    texts = list(SMALL.values())
    outcomes = run(STAGES[name](), tmp_path, texts * 2, cuts=[7, len(texts) + 3])
    first, second = outcomes[: len(texts)], outcomes[len(texts) :]
    if name in ("exact", "minhash"):
        assert all(outcome.kept for outcome in first)
        expected = [name == "minhash" and not has_words(text) for text in texts]
        assert [outcome.kept for outcome in second] == expected
    for text, outcome in zip(texts, second, strict=True):
        assert outcome.text.encode().decode() == outcome.text
        assert len(outcome.text.encode()) <= len(text.encode()) + 10
    assert [outcome.text for outcome in first if outcome.kept and outcome.of is None] == [
        text for text, outcome in zip(texts, first, strict=True) if outcome.kept and outcome.of is None
    ]


@pytest.mark.parametrize("name", STAGES)
def test_one_enormous_document_beside_its_copy(tmp_path: Path, name: str) -> None:
    text = " ".join(f"word{number * 7919 % 100_003} of a long line\n" for number in range(60_000))
    outcomes = run(STAGES[name](), tmp_path, ["small text that stands alone", text, text], cuts=[2])
    assert outcomes[1].text == text and outcomes[1].kept
    assert not outcomes[2].kept or len(outcomes[2].text) < len(text) / 50


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("text", ["", "\n", "one", "The same words stand in every document of this corpus, all of it."])
def test_corpora_of_one_document_again_and_again(tmp_path: Path, name: str, text: str) -> None:
    outcomes = run(STAGES[name](), tmp_path, [text] * 50, cuts=[20])
    assert outcomes[0].kept and outcomes[0].text == text
    assert len({(outcome.kept, outcome.text) for outcome in outcomes[1:]}) == 1


@pytest.mark.parametrize("name", STAGES)
def test_nothing_in_nothing_out(tmp_path: Path, name: str) -> None:
    assert run(STAGES[name](), tmp_path, []) == []
    assert run(STAGES[name](), tmp_path / "gone", ["some text", "some text"], gone=[0, 1]) == []


@pytest.mark.parametrize("name", STAGES)
def test_batches_in_which_all_documents_are_dead(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "BATCH_ROWS", 4)
    text = "The same words stand in every document of this corpus, and there are not a few of them."
    gone = [*range(2, 14), *range(21, 25)]
    kept = [i for i in range(25) if i not in gone]
    outcomes = run(STAGES[name](), tmp_path, [f"{text}\n{i}" if i in gone else text for i in range(25)], [20], gone)
    assert len(outcomes) == len(kept) and outcomes[0].text == text
    assert all(not outcome.kept or outcome.text != text for outcome in outcomes[1:])
