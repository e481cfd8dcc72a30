"""Language identification: right on plain cases, calm on hostile ones, and clear when it cannot work at all."""

from __future__ import annotations

import os
import pickle
import re
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus import StageUnavailable, Verdict
from eyas.corpus.documents import documents
from eyas.filters.language import Language, one_line

SENTENCES = {
    "en": "The quick brown fox jumps over the lazy dog while the children are watching from the window.",
    "de": "Der schnelle braune Fuchs springt über den faulen Hund, während die Kinder vom Fenster aus zusehen.",
    "fr": "Le renard brun saute par-dessus le chien paresseux pendant que les enfants regardent par la fenêtre.",
    "es": "El rápido zorro marrón salta sobre el perro perezoso mientras los niños miran desde la ventana.",
    "ru": "Быстрая коричневая лиса прыгает через ленивую собаку, пока дети смотрят из окна.",
    "zh": "敏捷的棕色狐狸跳过了懒狗，孩子们正从窗户里看着。",
    "ja": "すばやい茶色の狐がのろまな犬を飛び越え、子供たちは窓から見ています。",
    "ar": "يقفز الثعلب البني السريع فوق الكلب الكسول بينما يراقب الأطفال من النافذة",
    "hi": "तेज भूरी लोमड़ी आलसी कुत्ते के ऊपर से कूदती है जबकि बच्चे खिड़की से देख रहे हैं।",
}


def judge(stage: Language, *texts: str) -> Verdict:
    verdict = stage.judge(documents(list(range(len(texts))), list(texts), "s", [""] * len(texts)))
    assert len(verdict) == len(texts)
    assert {name: column.type for name, column in verdict.columns.items()} == dict(Language.adds)
    return verdict


def languages(*texts: str) -> list[str]:
    found: list[str] = judge(Language(), *texts).columns["lang"].to_pylist()
    return found


def test_plain_sentences_get_their_language() -> None:
    assert languages(*SENTENCES.values()) == list(SENTENCES)


def test_what_is_not_wanted_or_not_sure_is_dropped_with_score_and_threshold() -> None:
    stage = Language(keep=["en", "fr"], min_score=0.65)
    stage.prepare()
    verdict = judge(stage, SENTENCES["en"], SENTENCES["de"], SENTENCES["fr"], "a x 1 ok")
    assert verdict.kept.to_pylist()[:3] == [True, False, True]
    assert verdict.reason[1].as_py() == "language_unwanted"
    assert verdict.detail.to_pylist() == verdict.columns["lang"].to_pylist()
    assert verdict.threshold.to_pylist() == [0.65] * 4
    scores = verdict.score.to_pylist()
    assert scores == pytest.approx(verdict.columns["lang_score"].to_pylist(), rel=1e-6)
    sure = Language(keep=["en"], min_score=scores[0] + 1e-6)
    assert judge(sure, SENTENCES["en"]).reason.to_pylist() == ["language_uncertain"]
    assert judge(Language(keep=["en"], min_score=scores[0]), SENTENCES["en"]).kept.to_pylist() == [True]


def test_without_languages_to_keep_it_only_adds_columns() -> None:
    verdict = judge(Language(min_score=1.0), *SENTENCES.values(), "", "x")
    assert verdict.kept.to_pylist() == [True] * (len(SENTENCES) + 2)


@pytest.mark.parametrize(
    "hostile", ["\n", "\r\n\r\n", "\0", "\0\n\0", "</s>", "</s> </s>\n", "__label__de __label__de"]
)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_control_characters_and_fasttexts_own_marks_hide_nothing(hostile: str, language: str) -> None:
    """fastText reads a line up to a newline, a NUL or its end-of-sentence word: a page that begins so is still a page."""
    text = SENTENCES[language]
    half = len(text) // 2
    assert languages(f"{hostile} {text}", f"{text[:half]}{hostile}{text[half:]}") == [language] * 2


def test_texts_with_nothing_to_judge_are_undetermined_or_at_least_uncertain() -> None:
    verdict = judge(Language(keep=["en"]), "", "\0", "\n\n", " ", "</s>")
    assert verdict.kept.to_pylist() == [False] * 5
    assert verdict.score[0].as_py() < 0.65
    assert judge(Language(keep=["en"])).kept.to_pylist() == []


def test_each_document_is_judged_by_itself_and_by_its_beginning() -> None:
    texts = [*SENTENCES.values(), "", "x" * 100_000, "</s>"]
    alone = [judge(Language(), text).score[0].as_py() for text in texts]
    assert judge(Language(), *texts).score.to_pylist() == alone
    assert judge(Language(), *reversed(texts)).score.to_pylist() == alone[::-1]
    mixed = (SENTENCES["en"] + " ") * 20 + (SENTENCES["ru"] + " ") * 200
    assert languages(mixed) == ["en"]
    # Characters, not bytes: the cut must not fall inside one.
    assert (
        judge(Language(max_characters=7), SENTENCES["zh"]).score[0].as_py()
        == judge(Language(), SENTENCES["zh"][:7]).score[0].as_py()
    )


def test_a_language_that_the_model_does_not_know_stops_the_run() -> None:
    with pytest.raises(
        StageUnavailable, match=r"knows no language english \(it says en\), klingon; its labels are such as"
    ):
        Language(keep=["en", "klingon", "english"]).prepare()


def test_a_model_that_is_not_there_or_not_one_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StageUnavailable, match=rf"no fastText model at {tmp_path}/none\.bin"):
        Language(model=str(tmp_path / "none.bin")).prepare()
    (tmp_path / "text.bin").write_text("this is no model")
    with pytest.raises(StageUnavailable, match=r"text\.bin is not a fastText model"):
        Language(model=str(tmp_path / "text.bin")).prepare()


def test_a_stage_travels_without_its_model() -> None:
    stage = Language(keep=["en"])
    judge(stage, "hello")
    assert len(pickle.dumps(stage)) < 1000
    again = pickle.loads(pickle.dumps(stage))
    assert again == stage
    assert judge(again, SENTENCES["en"]).kept.to_pylist() == [True]


def test_texts_in_several_chunks_are_judged_as_one() -> None:
    table = pa.concat_tables([documents([i], [text], "s", [""]) for i, text in enumerate(SENTENCES.values())])
    assert Language().judge(table).columns["lang"].to_pylist() == list(SENTENCES)


def trained(folder: Path, **labelled: str) -> Path:
    """A small fastText model that knows the given labels, each by its sentence."""
    fasttext = pytest.importorskip("fasttext")
    lines = [f"__label__{label} {sentence}\n" for label, sentence in labelled.items()] * 20
    (folder / "lines.txt").write_text("".join(lines))
    model = fasttext.train_supervised(str(folder / "lines.txt"), dim=8, epoch=20, lr=0.5, thread=1, verbose=0, seed=1)
    model.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def test_the_second_language_and_the_margin_are_columns() -> None:
    mixed = f"{SENTENCES['de']} {SENTENCES['fr']}"
    columns = judge(Language(), mixed, SENTENCES["ru"], "").columns
    first, second = columns["lang"].to_pylist(), columns["lang2"].to_pylist()
    assert {first[0], second[0]} == {"de", "fr"} and first[1] == "ru" and second[1] not in ("ru", None)
    scores, seconds = columns["lang_score"].to_pylist(), columns["lang2_score"].to_pylist()
    assert all(a >= b for a, b in zip(scores, seconds, strict=True))
    margins = [a - b for a, b in zip(scores, seconds, strict=True)]
    assert columns["lang_margin"].to_pylist() == pytest.approx(margins, abs=1e-6)


def test_a_small_margin_is_ambiguous_whether_languages_are_named_or_not() -> None:
    mixed = f"{SENTENCES['de']} {SENTENCES['fr']}"
    for stage in (Language(min_margin=0.6), Language(keep=["de", "fr", "ru"], min_score=0.1, min_margin=0.6)):
        verdict = judge(stage, mixed, SENTENCES["ru"])
        assert verdict.kept.to_pylist() == [False, True]
        assert verdict.reason.to_pylist() == ["language_ambiguous", None]
        margin = verdict.columns["lang_margin"].to_pylist()
        assert verdict.score[0].as_py() == pytest.approx(margin[0], abs=1e-6)
        assert verdict.threshold.to_pylist() == [0.6, stage.min_score]
    # An unwanted language is the reason, not an ambiguous one.
    assert judge(Language(keep=["ru"], min_margin=0.6), mixed).reason.to_pylist() == ["language_unwanted"]


def test_no_label_at_all_is_undetermined() -> None:
    """fastText's answer for a line without a word that the model has; lid.176 has a word for the end of a line."""
    stage = Language(keep=["en"], min_margin=0.1)
    mute = SimpleNamespace(
        multilinePredict=lambda lines, *rest: ([[] for _ in lines], [np.empty(0, "f4")] * len(lines))
    )
    stage.__dict__["_fasttext"] = SimpleNamespace(f=mute, get_labels=lambda: ["__label__en"])
    verdict = judge(stage, "", "x")
    assert verdict.reason.to_pylist() == ["language_unwanted"] * 2
    row = {name: column[1].as_py() for name, column in verdict.columns.items()}
    assert row == {"lang": "und", "lang_score": 0.0, "lang2": None, "lang2_score": 0.0, "lang_margin": 0.0}


@pytest.mark.parametrize("wrong", [{"min_margin": 1.5}, {"min_score": -1}, {"max_characters": 0}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Language(**wrong)


def test_any_model_by_path_with_labels_of_its_own(tmp_path: Path) -> None:
    """GlotLID's labels hold language and script."""
    path = trained(tmp_path, eng_Latn=SENTENCES["en"], rus_Cyrl=SENTENCES["ru"])
    stage = Language(model=str(path), keep=["eng_Latn"], min_score=0.5)
    stage.prepare()
    verdict = judge(stage, SENTENCES["en"], SENTENCES["ru"])
    assert verdict.kept.to_pylist() == [True, False]
    assert verdict.columns["lang"].to_pylist() == ["eng_Latn", "rus_Cyrl"]
    assert verdict.columns["lang2"].to_pylist() == ["rus_Cyrl", "eng_Latn"]
    with pytest.raises(StageUnavailable, match=r"knows no language en \(it says eng_Latn\); .* eng_Latn, rus_Cyrl"):
        Language(model=str(path), keep=["en"]).prepare()


def test_a_model_with_a_single_label_has_no_second(tmp_path: Path) -> None:
    verdict = judge(Language(model=str(trained(tmp_path, only="a few words"))), "a few words", "", "other")
    assert set(verdict.columns["lang2"].to_pylist()) == {None}
    assert verdict.columns["lang_margin"].to_pylist() == verdict.columns["lang_score"].to_pylist()


def test_a_model_of_word_vectors_stops_the_run(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "words.txt").write_text("one two three\n" * 50)
    model = fasttext.train_unsupervised(str(tmp_path / "words.txt"), dim=4, maxn=0, epoch=1, thread=1, verbose=0)
    model.save_model(str(tmp_path / "vectors.bin"))
    with pytest.raises(StageUnavailable, match=r"vectors\.bin is not a fastText model with labels"):
        Language(model=str(tmp_path / "vectors.bin")).prepare()


def test_the_fingerprint_is_that_of_the_file_not_of_its_size(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"one")
    before = Language(model=str(model)).fingerprint()
    assert before == ["model.bin", "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"]
    model.write_bytes(b"two")
    os.utime(model, ns=(1, 1))
    assert Language(model=str(model)).fingerprint() != before


HOSTILE = st.text(
    st.one_of(st.sampled_from([*"\n\r\0\t\v\f </s>_a\u2028\u0085\u202e\ufeff\U0010ffff"]), st.characters(codec="utf-8"))
)


@lru_cache
def stage_seeing(characters: int) -> Language:
    return Language(max_characters=characters)


@settings(max_examples=200, deadline=None)
@given(st.lists(HOSTILE, max_size=6), st.sampled_from([1, 7, 2000]), st.integers(0, 3))
def test_labels_and_scores_are_those_of_fasttexts_own_predict(texts: list[str], most: int, cut: int) -> None:
    """The oracle: the wrapper's `predict` on lines made by a regex, one document at a time."""
    stage = stage_seeing(most)
    model = stage._fasttext
    lines = [re.sub(r"[\n\r\0]|</s>", " ", text[:most]) for text in texts]
    table = documents(list(range(len(texts))), texts, "s", [""] * len(texts))
    columns = stage.judge(table).columns
    for row, line in enumerate(lines):
        labels, scores = model.predict(line, k=2)
        expected = [label.removeprefix("__label__") for label in labels] or ["und"]
        found = [columns["lang"][row].as_py(), columns["lang2"][row].as_py()]
        assert [label for label in found if label] == expected
        assert columns["lang_score"][row].as_py() == pytest.approx(min(scores[0], 1.0) if len(scores) else 0.0)
    part = table.slice(cut)
    assert one_line(part.column("text"), most) == one_line(table.column("text"), most)[cut:]
