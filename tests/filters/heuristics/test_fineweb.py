"""FineWebQuality against datatrove's FineWebQualityFilter, both given our words: decisions and reasons are equal."""

from __future__ import annotations

from typing import Any

import pytest
from datatrove_oracle import OURS, RAISED, UNKNOWN, decisions, ours
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.heuristics import FineWebQuality
from eyas.filters.heuristics.symbols import TERMINALS

datatrove = pytest.importorskip("datatrove.pipeline.filters")
REASONS = {"empty", "line_punct_ratio", "short_line_ratio", "char_dup_ratio", "list_ratio"}


def theirs(texts: list[str], **options: Any) -> list[str | None]:
    return decisions(datatrove.FineWebQualityFilter(language=OURS, **options), texts)[0]


LINES = st.sampled_from(
    ["One line.", "one line", "A line that is longer than thirty characters, by far", "And this one, too: it ends here!",
     "", " ", "\t", "終わり。", "ends in a space. ", "\x1f", "\r", "word " * 20 + ".", "क।"]
)  # fmt: skip
TEXT = st.lists(LINES | st.text(max_size=6), max_size=12).map("\n".join)
SHARES = st.sampled_from([0.0, 0.05, 0.12, 0.3, 0.67, 1.0])
OPTIONS = st.fixed_dictionaries(
    {
        "line_punct_thr": SHARES,
        "line_punct_exclude_zero": st.booleans(),
        "stop_chars": st.sampled_from([None, (".", "!"), ("d", "。")]),
        "short_line_thr": SHARES,
        "short_line_length": st.sampled_from([1, 9, 30]),
        "char_duplicates_ratio": SHARES,
        "new_line_ratio": SHARES,
    }
)


def test_equal_on_hostile_text_with_any_options() -> None:
    reached: set[str | None] = set()

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(st.lists(TEXT, min_size=1, max_size=4), OPTIONS)
    def check(texts: list[str], options: dict[str, Any]) -> None:
        texts = [text.translate(UNKNOWN) for text in texts]
        given_ = {name: value for name, value in options.items() if value is not None}
        found = ours(FineWebQuality(**given_), texts)
        for text, our, their in zip(texts, found, theirs(texts, **options), strict=True):
            assert our == their or (their == RAISED and not OURS.word_tokenize(text))
        reached.update(found)

    check()
    assert reached == REASONS | {None}


def test_terminal_punctuation_is_datatroves() -> None:
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    assert set(TERMINALS) == TERMINAL_PUNCTUATION and len(TERMINALS) == len(TERMINAL_PUNCTUATION)


def test_a_language_that_does_not_punctuate_is_spared() -> None:
    text = "บรรทัดที่ยาวกว่าสามสิบตัวอักษรแน่นอนครับ ก ข ค ง จ ฉ\n" * 1
    assert ours(FineWebQuality(), [text]) == theirs([text]) == ["line_punct_ratio"]
    spared = {"line_punct_exclude_zero": True}
    assert ours(FineWebQuality(**spared), [text]) == theirs([text], **spared) == [None]


def test_stop_characters_are_single() -> None:
    with pytest.raises(ValueError, match="single characters"):
        FineWebQuality(stop_chars=("..",))
