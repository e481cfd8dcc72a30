"""The built-in languages: complete, sourced, valid options of our stages, and stop words that are words here."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from eyas.filters.heuristics import FineWebQuality, GopherQuality, GopherRepetition
from eyas.filters.language import Language
from eyas.filters.languages import LanguageEntry, load, overrides, sources
from eyas.filters.languages.thresholds import OPTIONS
from eyas.text_kernels.statistics.text import Counted, text_statistics
from eyas.text_kernels.words.words import words

FALCON_H1 = ["ar", "cs", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ro", "ru", "sv", "ur", "zh"]
STAGES = {
    "language": Language,
    "gopher_quality": GopherQuality,
    "gopher_repetition": GopherRepetition,
    "fineweb_quality": FineWebQuality,
}
KIND_AND_LANGUAGE = re.compile(rb'"kind": "([a-z]+)",.{0,50}?"lang": "([a-z]{2})"')
CORPUS = Path(os.environ.get("EYAS_CORPUS", "/tmp/w/corpus")) / "docs"


def test_all_languages_are_there():
    assert sorted(load()) == FALCON_H1
    assert len({entry.label for entry in load().values()}) == len(FALCON_H1)


def test_every_language_has_every_threshold_that_depends_on_it():
    needed = {
        "language": {"min_score"},
        "gopher_quality": {
            "min_avg_word_length",
            "max_avg_word_length",
            "max_non_alpha_words_ratio",
            "min_stop_words",
            "stop_words",
        },
        "gopher_repetition": set(OPTIONS["gopher_repetition"]),
        "fineweb_quality": set(OPTIONS["fineweb_quality"]),
    }
    for code, entry in load().items():
        for stage, options in needed.items():
            assert options <= set(entry.stages[stage]), (code, stage)


def test_every_value_has_a_source_and_every_source_is_used():
    used = {
        value.source for entry in load().values() for options in entry.stages.values() for value in options.values()
    }
    assert used == set(sources())
    for source in sources().values():
        assert all(len(text) > 2 for text in source.model_dump().values())


@pytest.mark.parametrize("stage", OPTIONS)
def test_the_options_are_those_of_the_stage_and_it_takes_them(stage):
    assert set(OPTIONS[stage]) <= set(STAGES[stage].model_fields)
    for code in FALCON_H1:
        STAGES[stage](**overrides(stage, code))


def test_english_is_as_in_the_papers():
    for stage in ("gopher_quality", "gopher_repetition", "fineweb_quality", "language"):
        assert STAGES[stage](**overrides(stage, "en")) == STAGES[stage]()


def test_overrides_by_code_by_label_and_unknown():
    assert overrides("gopher_quality", "de") == overrides("gopher_quality", "deu_Latn") != {}
    assert overrides("gopher_quality", "xx") == overrides("rewrite", "de") == {}


def test_what_is_handed_out_cannot_spoil_the_table():
    overrides("gopher_repetition", "de")["top_n_grams"][0][1] = 9
    load().clear()
    assert overrides("gopher_repetition", "de")["top_n_grams"][0][1] < 1


def test_the_file_says_each_thing_once():
    text = files("eyas.filters.languages").joinpath("languages.json").read_text(encoding="utf-8")

    def once(pairs):
        assert len(dict(pairs)) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)

    json.loads(text, object_pairs_hook=once)


def test_an_entry_with_an_unknown_option_is_refused():
    entry = load()["de"].model_dump()
    entry["stages"]["gopher_quality"]["max_word_length"] = {"value": 3, "source": "gopher"}
    with pytest.raises(ValueError, match="max_word_length"):
        LanguageEntry.model_validate(entry)


@pytest.mark.parametrize("code", FALCON_H1)
def test_stop_words_are_one_word_each(code):
    stop_words = load()[code].stop_words
    assert len(set(stop_words)) == len(stop_words) >= 8
    text = pa.array(stop_words, pa.large_string())
    start, end, offsets = words(text)
    assert np.diff(offsets).tolist() == [1] * len(stop_words)
    assert (end - start).tolist() == [len(word.encode()) for word in stop_words]
    assert count(text, stop_words)["stop_words"].tolist() == [1] * len(stop_words)
    assert count(text, stop_words)["alphabetic_words"].all()  # no punctuation among them


def count(text, stop_words):
    counted = Counted(stop_words=(stop_words,))
    return dict(zip(counted.names, text_statistics(text, counted).T, strict=True))


@pytest.fixture(scope="module")
def documents():
    """Up to 150 documents of each language and kind, save the kinds where the language is not the matter."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS} (name its folder by EYAS_CORPUS)")
    found: dict[str, list[str]] = {code: [] for code in FALCON_H1}
    seen: Counter[tuple[str, ...]] = Counter()
    for path in sorted(CORPUS.glob("*.jsonl.gz")):
        if path.name.startswith(("code", "email", "math")):
            continue
        with gzip.open(path, "rb") as lines:
            for line in lines:
                head = KIND_AND_LANGUAGE.search(line, 0, 300)  # parsing every line would take half a minute
                if head and head[2].decode() in found and seen[head.groups()] < 150:
                    seen[head.groups()] += 1
                    found[head[2].decode()].append(json.loads(line)["text"][:20_000])
    return found


@pytest.mark.parametrize("code", FALCON_H1)
def test_two_stop_words_are_in_nine_of_ten_real_documents(code, documents):
    text = pa.array(documents[code], pa.large_string())
    counts = count(text, load()[code].stop_words)
    long = counts["words"] >= 200
    share = (counts["stop_words"][long] >= 2).mean()
    print(f"{code}: {share:.3f} of {long.sum()} documents")
    assert long.sum() >= 100
    assert share >= 0.9
