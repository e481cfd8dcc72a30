"""A user's file of thresholds: what it may say, and errors that name file, language, stage, option and nearest name."""

from __future__ import annotations

import json

import pytest

from eyas.filters.languages import load, read

GOOD = """\
# my own
de:
  gopher_quality:
    max_avg_word_length: 15
    min_stop_words: null
    stop_words: [der, die, no]
  gopher_repetition: {top_n_grams: [[2, 0.17], [3, 0.15]]}
deu_Latn:
  fineweb_quality: {line_punct_exclude_zero: true}
no: {}
"""


def write(folder, text, name="own.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path):
    assert read(write(tmp_path, GOOD)) == {
        "de": {
            "gopher_quality": {"max_avg_word_length": 15, "min_stop_words": None, "stop_words": ["der", "die", "no"]},
            "gopher_repetition": {"top_n_grams": [[2, 0.17], [3, 0.15]]},
        },
        "deu_Latn": {"fineweb_quality": {"line_punct_exclude_zero": True}},
        "no": {},
    }


def test_the_built_in_languages_read_back_from_json(tmp_path):
    plain = {code: {stage: entry.options(stage) for stage in entry.stages} for code, entry in load().items()}
    assert read(write(tmp_path, json.dumps(plain), "own.json")) == plain
    assert read(str(write(tmp_path, json.dumps(plain)))) == plain  # JSON is YAML


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("de: {gopher_qualty: {}}", "de.gopher_qualty", "did you mean `gopher_quality`?"),
        ("de: {minhash_dedup: {}}", "de.minhash_dedup", "no stage whose thresholds depend on the language"),
        ("de: {1: {}}", "de.1", "there are language, gopher_quality"),
        (
            "de: {gopher_quality: {max_word_length: 3}}",
            "de.gopher_quality.max_word_length",
            "did you mean `max_avg_word",
        ),
        ("de: {gopher_quality: {min_score: 3}}", "de.gopher_quality.min_score", "unknown option"),
        ("de: {gopher_quality: {min_doc_words: 3.5}}", "de.gopher_quality.min_doc_words", "a whole number"),
        ("de: {gopher_quality: {min_avg_word_length: true}}", "de.gopher_quality.min_avg_word_length", "a number"),
        ("de: {gopher_quality: {max_avg_word_length: .nan}}", "de.gopher_quality.max_avg_word_length", "a number"),
        ("de: {gopher_quality: {stop_words: der}}", "de.gopher_quality.stop_words", "the text 'der'"),
        ("de: {gopher_quality: {stop_words: []}}", "de.gopher_quality.stop_words", "a list of texts"),
        ("de: {gopher_repetition: {dup_n_grams: [5, 0.1]}}", "de.gopher_repetition.dup_n_grams", "[words, share]"),
        ("de: {gopher_repetition: {dup_n_grams: [[6, 1], [5, 1]]}}", "de.gopher_repetition.dup_n_grams", "ascending"),
        ("de: {language: {min_score: null}}", "de.language.min_score", "a number; found nothing"),
        (
            "de: {fineweb_quality: {line_punct_exclude_zero: 0}}",
            "de.fineweb_quality.line_punct",
            "true or false; found 0",
        ),
        ("de: {gopher_quality: 3}", "de.gopher_quality", "expected options (min_doc_words"),
        ("de: [gopher_quality]", "de", "expected stages (language, gopher_quality"),
        ("German: {}", "German", "such as de or deu_Latn"),
        ("true: {}", "True", "not a language"),
        ("- de", "", "expected languages"),
        ("", "", "expected languages"),
        ("de: {}\nde: {}", "", "duplicate key"),
        ("de: {gopher_quality: {a: 1}", "", "expected"),
        ("de: \x00", "", "special characters"),
    ],
)
def test_errors_name_the_place(tmp_path, text, place, said):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert place in str(error.value)
    assert said in str(error.value)


def test_all_problems_at_once(tmp_path):
    with pytest.raises(ValueError) as error:
        read(write(tmp_path, "de: {gopher_quality: {a: 1, b: 2}}\nfr: {c: {}}"))
    assert len(str(error.value).splitlines()) == 3


def test_unreadable_files(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"de: \xff")
    with pytest.raises(ValueError, match="cannot be read"):
        read(tmp_path / "latin.yaml")
    with pytest.raises(ValueError, match="comes twice"):
        read(write(tmp_path, '{"de": {}, "de": {}}', "own.json"))
    with pytest.raises(ValueError, match=r"own\.json"):
        read(write(tmp_path, "[" * 100_000, "own.json"))
