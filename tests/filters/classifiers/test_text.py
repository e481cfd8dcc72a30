"""One line of text: nothing in it can end fastText's line or make a class of its own."""

from __future__ import annotations

from classifier_driver import large
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.classifiers.text import PLAIN, TextOptions, one_line

PIECES = ["\n", "\r", "\0", "\t", "\x0b", "\x0c", " ", "</s>", "__label__", "_", "<", "/s>", "__LABEL__", "</S>"]
PIECES += [
    "a",
    "don't",
    "好",
    "สวัส",
    "\u200f",
    "\u2028",
    "\x85",
    "é",
    "e\u0301",
    "\U0001f469\u200d\U0001f4bb",
    "\ufeff",
]
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join)
OPTIONS = st.builds(
    TextOptions,
    max_characters=st.one_of(st.none(), st.integers(1, 20)),
    lowercase=st.booleans(),
    split=st.booleans(),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(HOSTILE, max_size=4), OPTIONS)
def test_a_line_holds_nothing_that_fasttext_would_stumble_over(texts: list[str], options: TextOptions) -> None:
    lines = one_line(large(texts), options)
    assert len(lines) == len(texts)
    for text, line in zip(texts, lines, strict=True):
        assert not set(line) & set("\n\r\0\t\x0b\x0c")
        assert "</s>" not in line and "__label__" not in line
        assert line == line.strip(" ")
        assert one_line(large([text]), options) == [line]
        if not options.split and options.max_characters is None and not options.lowercase:
            assert "".join(line.split()) == "".join(
                "".join(c if c not in "\0" else " " for c in text)
                .replace("</s>", " ")
                .replace("__label__", " ")
                .split()
            )


def test_words_are_set_apart_from_punctuation_and_scripts_without_spaces_become_characters() -> None:
    found = one_line(large(["Don't stop, now.", "你好，world", "a\u00a0b\u2028c"]), TextOptions())
    assert [line.split() for line in found] == [
        ["Don", "'", "t", "stop", ",", "now", "."],
        ["你", "好", "，", "world"],
        ["a", "b", "c"],
    ]
    assert one_line(large(["Don't\nSTOP"]), PLAIN) == ["Don't STOP"]
    assert one_line(large(["ÀB c"]), TextOptions(lowercase=True, max_characters=2)) == ["àb"]
