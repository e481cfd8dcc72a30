"""C4Quality and line_cleanup against datatrove's C4QualityFilter, given our sentences: decisions, reasons and texts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from datatrove_oracle import OURS, UNKNOWN, decisions, ours
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.heuristics import C4Quality, LineCleanup

datatrove = pytest.importorskip("datatrove.pipeline.filters")

PIECES = st.sampled_from(
    ["This is a sentence.", "Is it one? Yes!", "no end here", "Too short.", "wait for it...", "[1]", "[edit]", "..[2].",
     "[citation needed]", "\u0664[٤] is four.", "We use cookies here.", "We use coo\u212aies here.", "Enable JavaScript now.",
     "java[3]script is on.", "Lorem ipsum dolor sit.", "f(x) = {x} is it.", "\\frac{a}{b}.", "x" * 40 + " is long.",
     '"Quoted speech here"', "'", " ", "\t", "\u3000", "terms of use apply.", "İ is a letter too."]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", " ", "\r\n", "\x0b", "\u2028", ""])
TEXT = st.lists(st.tuples(PIECES | st.text(max_size=5), ENDS).map("".join), max_size=14).map("".join)
OFF = {"min_num_sentences": -1, "min_words_per_line": -1, "max_word_length": -1}
OPTIONS = st.fixed_dictionaries(
    {
        "split_paragraph": st.booleans(),
        "remove_citations": st.booleans(),
        "filter_no_terminal_punct": st.booleans(),
        "min_num_sentences": st.sampled_from([None, 1, 3, 5]),
        "min_words_per_line": st.sampled_from([None, 1, 3]),
        "max_word_length": st.sampled_from([None, 8, 1000]),
        "filter_lorem_ipsum": st.booleans(),
        "filter_javascript": st.booleans(),
        "filter_curly_bracket": st.booleans(),
        "filter_policy": st.booleans(),
    }
)


def theirs(texts: list[str], **options: Any) -> tuple[list[str | None], list[str]]:
    given_ = {name: OFF.get(name) if value is None else value for name, value in options.items()}
    return decisions(datatrove.C4QualityFilter(language=OURS, **given_), texts)


def cleaned(texts: list[str], options: dict[str, Any]) -> list[str]:
    own = {name: value for name, value in options.items() if name != "min_num_sentences"}
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    found: list[str] = LineCleanup(refinedweb=None, c4=own).map(table).column("text").to_pylist()
    return found


def test_equal_on_hostile_text_with_any_options() -> None:
    reached: set[str | None] = set()

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(st.lists(TEXT, min_size=1, max_size=4), OPTIONS)
    def check(texts: list[str], options: dict[str, Any]) -> None:
        texts = [text.translate(UNKNOWN) for text in texts]
        found = ours(C4Quality(**options), texts)
        expected, left = theirs(texts, **options)
        assert found == expected
        for mine, their, reason in zip(cleaned(texts, options), left, found, strict=True):
            assert reason is not None or mine == their
        reached.update(found)

    check()
    assert reached == {None, "lorem_ipsum", "curly_bracket", "too_few_sentences"}


SENTENCE = "This is a sentence that counts.\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SENTENCE * 5, None),
        (SENTENCE * 4, "too_few_sentences"),
        ("One here. Two here. Three. Four! Five?", None),
        (SENTENCE * 5 + "Set {x} to 1.", "curly_bracket"),
        (SENTENCE * 5 + "Set {x} to 1", None),
        ("Here is lorem ipsum.\n" + SENTENCE * 5 + "Set {x} to 1.", "lorem_ipsum"),
        ("Set {x} to 1.\n" + SENTENCE * 5 + "Here is lorem ipsum.", "curly_bracket"),
    ],
)
def test_known_documents(text: str, reason: str | None) -> None:
    assert ours(C4Quality(), [text]) == theirs([text])[0] == [reason]


def test_latex_survives_without_the_rule_against_braces() -> None:
    text = SENTENCE * 5 + r"Then \frac{a}{b} is a number."
    assert ours(C4Quality(), [text]) == ["curly_bracket"]
    assert ours(C4Quality(filter_curly_bracket=False), [text]) == [None]
