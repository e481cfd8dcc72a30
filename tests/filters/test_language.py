"""Language identification: right on plain cases, calm on hostile ones, and clear when it cannot work at all."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from corpus import StageUnavailable, Verdict
from corpus.documents import documents
from filters.language import Language

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
    with pytest.raises(StageUnavailable, match=r"knows no language english, klingon; its labels are such as"):
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
