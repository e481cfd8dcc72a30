"""GopherRepetition against datatrove's GopherRepetitionFilter, both given our words: decisions and reasons are equal."""

from __future__ import annotations

from typing import Any

import pytest
from datatrove_oracle import OURS, UNKNOWN, decisions, ours
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.heuristics import GopherRepetition

datatrove = pytest.importorskip("datatrove.pipeline.filters")

REASONS = {
    "empty",
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    *(f"top_{n}_gram" for n in (2, 3, 4)),
    *(f"duplicated_{n}_n_grams" for n in range(5, 11)),
}


def theirs(texts: list[str], **options: Any) -> list[str | None]:
    return decisions(datatrove.GopherRepetitionFilter(language=OURS, **options), texts)[0]


WORDS = ["a", "b", "ab", "the", "fox", "1", "23", "中", ",", "don't", "é"]
SPACES = [" ", " ", " ", "\n", "\n\n", "\n \n", "\n\n\n", "\t", "\r\n", "\x1f", "\u00a0"]
REPETITIVE = st.lists(st.sampled_from(WORDS) | st.sampled_from(SPACES), max_size=80).map("".join)
COPIED = st.builds(lambda a, b, n: a + b * n, REPETITIVE, REPETITIVE, st.integers(0, 6))
TEXT = REPETITIVE | COPIED | st.text(max_size=20)
SHARES = st.sampled_from([None, 0.05, 0.1, 0.3, 0.5, 0.9])
OPTIONS = st.fixed_dictionaries(
    {
        "dup_line_frac": SHARES,
        "dup_para_frac": SHARES,
        "dup_line_char_frac": SHARES,
        "dup_para_char_frac": SHARES,
        "top_n_grams": st.sampled_from([(), ((2, 0.2), (3, 0.18), (4, 0.16)), ((1, 0.3), (4, 0.05)), ((2, 0.9),)]),
        "dup_n_grams": st.sampled_from(
            [(), ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1)), ((1, 0.5), (3, 0.2)), ((2, 0.9),)]
        ),
    }
)

NOTHING = {"dup_line_frac": None, "dup_para_frac": None, "dup_line_char_frac": None, "dup_para_char_frac": None}
ONE_SIZE = st.integers(5, 10).map(lambda n: {**NOTHING, "top_n_grams": (), "dup_n_grams": ((n, 0.1),)})


def test_equal_on_repetitive_and_hostile_text_with_any_options() -> None:
    reached: set[str | None] = set()

    @settings(max_examples=700, deadline=None, derandomize=True, database=None)
    @given(st.lists(TEXT, min_size=1, max_size=4), OPTIONS | ONE_SIZE)
    def check(texts: list[str], options: dict[str, Any]) -> None:
        texts = [text.translate(UNKNOWN) for text in texts]
        found = ours(GopherRepetition(**options), texts)
        assert found == theirs(texts, **options)
        reached.update(found)

    check()
    assert reached >= REASONS | {None}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("one two\n\nthree four\n\nfive six\n\none two", "top_2_gram"),
        ("one two\n\nthree four\n\none two", "dup_para_frac"),
        (
            "to day of rest in a wood\nand more\nto day of rest in a wood\nof it all and yet more lines",
            "dup_line_char_frac",
        ),
        ("\na\n", "dup_line_frac"),
        ("", "empty"),
        (" ", None),
    ],
)
def test_known_documents(text: str, reason: str | None) -> None:
    assert ours(GopherRepetition(), [text]) == theirs([text]) == [reason]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dup_line_frac": 0}, "Write null to turn the rule off"),
        ({"top_n_grams": [[3, 0.1], [2, 0.1]]}, "must ascend"),
        ({"dup_n_grams": [[0, 0.1]]}, "from 1 or more"),
    ],
)
def test_options_that_mislead_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GopherRepetition(**options)
