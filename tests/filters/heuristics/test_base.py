"""Heuristic filters with thresholds by language: each document is judged by those of its language."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from eyas.corpus import StageUnavailable
from eyas.corpus.documents import documents
from eyas.filters.heuristics import FineWebQuality, GopherQuality

TEXT = "the word and that word " * 20


def table(*languages: str | None) -> pa.Table:
    count = len(languages)
    lang = {"lang": pa.array(languages, pa.string())}
    return documents(list(range(count)), [TEXT] * count, "s", [""] * count, lang)


def test_a_document_is_judged_by_the_thresholds_of_its_language(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("de: {gopher_quality: {min_doc_words: 500}}\n")
    verdict = GopherQuality(by_language=str(path)).judge(table("de", "en", None, "de"))
    assert verdict.reason.to_pylist() == ["gopher_short_doc", None, None, "gopher_short_doc"]
    assert verdict.threshold[0].as_py() == 500


def test_the_recipe_takes_precedence(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("de: {gopher_quality: {min_doc_words: 500}}\n")
    assert GopherQuality(by_language=str(path), min_doc_words=10).judge(table("de")).kept.to_pylist() == [True]


def test_a_missing_column_says_what_adds_it() -> None:
    with pytest.raises(StageUnavailable, match="needs the column `lang`: put the stage `language` before it"):
        FineWebQuality(by_language=True).judge(table("de").drop_columns(["lang"]))
    assert FineWebQuality(by_language=True).columns_needed() == ("lang",)


def test_a_threshold_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="max_avg_word_length must be above 0, got 0"):
        GopherQuality(max_avg_word_length=0)
