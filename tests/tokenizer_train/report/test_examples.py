"""Examples on the page show every character, invisible ones too."""

from __future__ import annotations

from eyas.tokenizer_train.report.examples import visible


def test_tokens_hide_nothing() -> None:
    assert visible(b" a\tb\n") == "·a→\tb⏎\n"
    assert visible(" 中".encode()[:3]) == "·⟨E4⟩⟨B8⟩"
    assert visible("\u0301".encode()) == "◌\u0301"
    assert visible("\u200d\u202e\x1b".encode()) == "⟨U+200D⟩⟨U+202E⟩⟨U+001B⟩"
    assert visible(None) == "⟨control⟩"
