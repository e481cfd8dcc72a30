"""The report's pairs: differences that can be undone, and examples from every source."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.report.dedup import PAIRS, _spread, duplicates, marked

WORDS = st.lists(st.sampled_from(["the", "cat ", " ", "\n", "日本", "<b>", "\u202e", "é"])).map("".join) | st.text()


@settings(deadline=None, max_examples=200)
@given(WORDS, WORDS)
def test_the_runs_are_the_texts_and_what_is_unmarked_is_equal(left: str, right: str) -> None:
    a, b = marked(left, right)
    assert "".join(text for _, text in a) == left and "".join(text for _, text in b) == right
    assert [text for differs, text in a if not differs] == [text for differs, text in b if not differs]
    if left == right:
        assert not any(differs for differs, _ in (*a, *b))


def test_wrong_pairs_come_first_and_every_source_gets_its_turn() -> None:
    rows = [
        {"source": source, "right": number != 3, "value": number / 10, "dropped": number}
        for source in "ab"
        for number in range(9)
    ]
    shown = _spread(rows)
    assert len(shown) == PAIRS and not shown[0]["right"] and not shown[1]["right"]
    assert [row["source"] for row in shown] == ["a", "b"] * 3
    assert [row["value"] for row in shown[2:]] == [0.0, 0.0, 0.1, 0.1]
    assert _spread([]) == []


def test_a_section_for_each_deduplication(small_run: Outcome) -> None:
    (section,) = duplicates(small_run)
    assert section["label"] == "exact_dedup" and section["books"].dropped == 10
    assert section["sampled"] == section["right"] == 10 and section["curve"] == ""
    assert all(row["left"] == row["other"] == [(False, row["kept_text"])] for row in section["pairs"])
