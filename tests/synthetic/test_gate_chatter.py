"""Refusals, the prompt's own wording, and a changed language."""

from __future__ import annotations

import math

from eyas.synthetic import gate_chatter


def test_a_refusal_counts_unless_its_source_opens_with_one() -> None:
    refusal = "I'm sorry, but I can't help you, said the cat."
    assert gate_chatter.refuses("A cat spoke.", refusal) and not gate_chatter.refuses(refusal, refusal)
    assert not gate_chatter.refuses("A cat spoke.", "x" * 300 + refusal), "only the opening counts"


def test_eight_words_of_the_prompt_are_a_leak_unless_they_are_in_the_source() -> None:
    prompt = "Answer with the rewritten text only and nothing else at all."
    leak = "Answer with the rewritten text only and nothing."
    assert gate_chatter.leaks(prompt, "A source.", leak) == 1 and gate_chatter.leaks(prompt, leak, leak) == 0
    assert gate_chatter.leaks(prompt, "A source.", "Answer with the rewritten text only.") == 0


def test_the_language_is_that_of_the_source_or_of_the_translation() -> None:
    source = "In 1889 the company of Gustave Eiffel built a tower in Paris. It is 330 metres high."
    german = "Der Eiffelturm in Paris ist 330 Meter hoch und wurde 1889 gebaut."
    assert gate_chatter.language_kept(source, german, "de") > 0.8 > 0.2 > gate_chatter.language_kept(source, german)
    assert math.isnan(gate_chatter.language_kept("x1 = 7; 0xff", "something else that is written in words"))
