"""The automaton of phrases, walked in plain Python."""

from __future__ import annotations

import pytest

from eyas.text_kernels.words.phrases import automaton


def ending(text: str, phrases: tuple[str, ...]) -> list[set[str]]:
    """Per character, the phrases that end at it."""
    search = automaton(phrases)
    classes = len(search.next) // len(search.endings)
    state, ends = 0, []
    for character in text:
        state = int(search.next[state * classes + search.kinds[ord(character)]])
        bits = int(search.endings[state])
        ends.append({phrase for bit, phrase in enumerate(phrases) if bits >> bit & 1})
    return ends


def test_every_phrase_ends_where_it_stands_whatever_its_case() -> None:
    phrases = ("she", "he", "hers", "use")
    text = "ushers USE"
    expected = [{p for p in phrases if text[: i + 1].lower().endswith(p)} for i in range(len(text))]
    assert ending(text, phrases) == expected
    assert expected[3] == {"she", "he"}


def test_too_many_phrases_and_empty_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 64 phrases"):
        automaton(("",))
    with pytest.raises(ValueError, match="at most 64 phrases"):
        automaton(tuple(str(number) for number in range(65)))
