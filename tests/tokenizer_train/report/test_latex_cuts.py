"""LaTeX commands in a text are found as a plain scan finds them, and counted as whole, cut or misread."""

from __future__ import annotations

import pytest
from compared_tokenizers import LATEX, column
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.tokenizer_train.report.cuts import cut
from eyas.tokenizer_train.report.latex_cuts import LatexCuts, command_spans
from eyas.tokenizer_train.report.loaded import LoadedTokenizer


def latex_of(texts: list[str], one: LoadedTokenizer) -> LatexCuts:
    text, found = column(texts), LatexCuts()
    names, spans = command_spans(text)
    ids = one.encoder.encode(text)
    found.add(one, ids, names, cut(one, text, ids, spans))
    return found


def test_commands_whole_cut_and_misread() -> None:
    found = latex_of([r"a \frac{1}{2} \infty\in\frac \\frac \alpha", "", r"\infty 中\in"], LATEX)
    # Line break and letters: `\\frac` holds no command.
    assert {name: command.count for name, command in found.commands.items()} == {
        "\\frac": 2, "\\infty": 2, "\\in": 2, "\\alpha": 1,
    }  # fmt: skip
    assert {name for name, command in found.commands.items() if command.whole == command.count} == {"\\frac", "\\in"}
    assert found.commands["\\infty"].other == 2
    assert found.commands["\\alpha"].other == 0
    facts = found.to_json(LATEX)
    assert facts["infty"] == ["\\in", "f", "t", "y"]
    assert facts["infty_begins_with_in"]
    assert facts["whole"] == pytest.approx(4 / 7)
    assert facts["begins_with_other"] == pytest.approx(2 / 7)
    assert facts["commands"] == [] and facts["distinct"] == 0  # none is seen five times


@settings(deadline=None, max_examples=60)
@given(st.lists(HOSTILE, max_size=4))
def test_commands_are_found_where_a_scan_finds_them(texts: list[str]) -> None:
    names, spans = command_spans(column(["x", *texts]).slice(1))
    expected, start = [], 1
    for text in texts:
        raw, i = text.encode(), 0
        while i < len(raw):
            if raw[i : i + 1] != b"\\":
                i += 1
            elif raw[i + 1 : i + 2] == b"\\":
                i += 2
            else:
                end = i + 1
                while end < len(raw) and raw[end : end + 1].isalpha():
                    end += 1
                if end > i + 1:
                    expected.append((raw[i:end].decode(), start + i, start + end))
                i = end
        start += len(raw)
    assert list(zip(names, spans.start.tolist(), spans.end.tolist(), strict=True)) == expected
    assert spans.doc_offsets[-1] == len(expected)
