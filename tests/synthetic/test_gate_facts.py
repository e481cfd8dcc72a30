"""Numbers, names and wording that a rewrite keeps, loses or invents."""

from __future__ import annotations

import math

from eyas.synthetic import gate_facts


def test_numbers_kept_and_invented() -> None:
    assert gate_facts.numbers("1,234.5 and 1\u00a0234,5 and 1.234,5; ١٢ kg in 2015.") == {"12345", "12", "2015"}
    assert gate_facts.numbers_kept("12 birds, 3 eggs", "twelve birds and three eggs") == 1.0
    assert math.isnan(gate_facts.numbers_kept("no digit", "7"))
    assert gate_facts.numbers_invented("3 eggs", "3 eggs of 5 cm") == 0.5


def test_names_kept() -> None:
    text = "Yesterday Marie Curie met Einstein. They spoke. The New York Times wrote of NASA."
    assert gate_facts.names(text) == {"yesterday marie curie", "einstein", "the new york times", "nasa"}
    # The word that opens a sentence may join a name: its last word is what counts.
    assert gate_facts.names_kept("He met Marie Curie.", "curie's work") == 1.0


def test_repetition_and_novelty() -> None:
    assert gate_facts.repetition("a b c d e") == 0 and gate_facts.repetition("a b a b a b a b") > 0.6
    assert gate_facts.novelty("a b c d", "a b c d") == 0.0 and gate_facts.novelty("a b c d", "e f g h") == 1.0
