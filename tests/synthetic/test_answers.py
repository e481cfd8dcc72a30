"""Cleaning a model's answers."""

from __future__ import annotations

import json

import pytest

from eyas.synthetic.answers import drawn_pairs, pairs_text, read_json, unwrap, whole_sentences
from eyas.synthetic.prompts import Prompt

FENCE = "=====TEXT 0123456789ab====="
PAIRS = [{"question": f"Q{i}?", "answer": f"A{i}."} for i in range(10)]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (f"{FENCE}\nThe text.\n{FENCE}", "The text."),
        ("Sure, here is the rewritten text:\n\nThe text.", "The text."),
        ("Here's a clear version of it:\nThe text.", "The text."),
        (
            "Here are falcons. They hunt: mice and voles.\nThe text.",
            "Here are falcons. They hunt: mice and voles.\nThe text.",
        ),
        ("```markdown\nThe text.\n```", "The text."),
        ("<think>What now?\nHm.</think>\nThe text.", "The text."),
        ("Of course:\n**Facts:**\n- The text.", "- The text."),
        ("A list:\n```\ncode\n```\nand more text", "A list:\n```\ncode\n```\nand more text"),
    ],
)
def test_wrappings_come_off_and_nothing_else(answer: str, kept: str) -> None:
    assert unwrap(answer, FENCE, "Facts:") == kept


def test_code_comes_out_of_its_block_with_its_indentation() -> None:
    answer = "Here is the code you asked for.\n```python\n    x = 1\n    y = 2\n```\nI hope it helps!"
    assert unwrap(answer, FENCE, code=True) == "    x = 1\n    y = 2"
    assert unwrap("```c\nint x;", FENCE, code=True) == "int x;", "cut off before the fence"


def test_half_a_sentence_at_the_end_is_cut() -> None:
    assert whole_sentences('It flew. "Away!" And then it') == 'It flew. "Away!"'
    assert whole_sentences("- one\n- two\n- thr") == "- one\n- two"
    assert whole_sentences("of 3.5 metres") == "" and whole_sentences("") == ""


def test_json_is_found_in_chatter_and_checked_against_its_schema() -> None:
    schema = Prompt.find("diverse_qa").schema or {}
    good = {"pairs": [{"question": "What is it?", "answer": "A falcon."}]}
    assert read_json(f"Sure!\n```json\n{json.dumps(good)}\n```", schema) == good
    for bad in ("no json", '{"pairs": [', '{"pairs": []}', '{"pairs": [{"question": "What?"}]}', '{"pears": 1}'):
        with pytest.raises(ValueError, match=r"no JSON object|not what the schema asks for"):
            read_json(bad, schema)


def test_pairs_are_drawn_as_in_nemotron_cc() -> None:
    """A random number of pairs, from one up to ten for each 150 tokens and at most eight, shuffled, the same every time."""
    counts = [len(drawn_pairs(PAIRS, "x" * 600, str(i))) for i in range(300)]
    assert min(counts) == 1 and max(counts) == 8
    assert all(len(drawn_pairs(PAIRS, "short", str(i))) == 1 for i in range(20))
    orders = {tuple(pair["question"] for pair in drawn_pairs(PAIRS, "x" * 6000, str(i))) for i in range(20)}
    assert len(orders) > 10 and drawn_pairs(PAIRS, "x" * 600, "7") == drawn_pairs(PAIRS, "x" * 600, "7")
    assert pairs_text(PAIRS[:2]) == "Question: Q0?\nAnswer: A0.\n\nQuestion: Q1?\nAnswer: A1."
