"""The figures of a comparison against plain counting in Python, on hostile text and three kinds of tokenizer."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from compared_tokenizers import KINDS, column, loaded, naive_cut, naive_tokens, naive_words
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.tokenizer_train.report.comparison import ALL, Figures, Group, compare, mean_ratio, renyi_efficiency, together
from eyas.tokenizer_train.report.token_use import RARE


@settings(deadline=None, max_examples=4)
@given(st.lists(HOSTILE.filter(bool), min_size=1, max_size=6), st.lists(HOSTILE, max_size=4))
def test_figures_are_plain_sums(first: list[str], second: list[str]) -> None:
    groups = [Group("language: xx", "xx", "language"), Group("mathematics", "mathematics", "math")]
    texts = dict(zip((group.name for group in groups), (first, second), strict=True))
    own = [loaded(kind) for kind in KINDS]
    found = compare(own, groups, lambda group: [column(texts[group.name][:2]), column(texts[group.name][2:])])
    for one, measured in zip(own, found.tokenizers, strict=True):
        for name, part in [*texts.items(), (ALL, first + second)]:
            figures = measured.groups[name]
            ids = [one.tokenizer.encode(text, add_special_tokens=False).ids for text in part]
            tokens = [naive_tokens(one, text) for text in part]
            exact = [(t, raw) for t, raw in zip(tokens, part, strict=True) if t is not None]
            cuts = [naive_cut(t, raw.encode(), *word) for t, raw in exact for word in naive_words(raw)]
            assert (figures.documents, figures.tokens) == (len(part), sum(map(len, ids)))
            assert (figures.bytes, figures.characters) == (sum(len(t.encode()) for t in part), sum(map(len, part)))
            assert figures.words == sum(len(naive_words(text)) for text in part)
            assert figures.exact_words == len(cuts)
            assert figures.cut_words == sum(pieces > 1 for pieces, _ in cuts)
            assert figures.whole_words == sum(alone for _, alone in cuts)
            decoded = [one.tokenizer.decode(i, skip_special_tokens=False) for i in ids]
            lost = sum(t is None and a != b for t, a, b in zip(tokens, decoded, part, strict=True))
            assert figures.changed == lost
            counts = Counter(i for text in ids for i in text)
            power = sum((n / max(figures.tokens, 1)) ** 2.5 for n in counts.values())
            expected = math.log(power) / -1.5 / math.log(one.vocab_size) if counts else 0.0
            assert figures.renyi == pytest.approx(expected, abs=1e-12)
        rare = {i for i, n in counts.items() if n < RARE and len(one.tokens[i] or b"") > 1}
        real = {i for i, token in enumerate(one.tokens) if len(token or b"") > 1}
        assert set(measured.use.rare.tolist()) == rare
        assert set(measured.use.unused.tolist()) == real - set(counts)


def test_renyi_efficiency_of_known_distributions() -> None:
    assert renyi_efficiency(np.full(64, 3), 64) == pytest.approx(1)
    assert renyi_efficiency(np.array([5, 5, 0, 0]), 4) == pytest.approx(0.5)
    assert renyi_efficiency(np.array([9, 0, 0]), 3) == pytest.approx(0)
    even, uneven = np.array([10, 10, 10, 10]), np.array([37, 1, 1, 1])
    assert renyi_efficiency(uneven, 4) < renyi_efficiency(even, 4)
    assert renyi_efficiency(np.zeros(3, np.int64), 3) == 0


def test_sampling_error_is_nothing_for_texts_alike_and_falls_with_their_number() -> None:
    group = Group("language: en", "English", "language")

    def error(texts: list[str]) -> float:
        found = compare([loaded("bytes")], [group], lambda _: [column(texts)])
        return found.tokenizers[0].groups[group.name].relative_error

    mixed = ["the quick brown fox", "x=[1,2,3]+{}"]
    assert error(["the quick brown fox"] * 9) == pytest.approx(0, abs=1e-9)
    assert error(mixed * 50) == pytest.approx(error(mixed * 2) / 5)
    assert error(mixed) > 0.05


def test_nothing_to_measure_is_an_error() -> None:
    group = Group("language: en", "English", "language")
    with pytest.raises(ValueError, match="no text to measure on"):
        compare([loaded("bytes")], [group], lambda _: [])
    with pytest.raises(ValueError, match="no tokenizer"):
        compare([], [group], lambda _: [column(["a"])])


def test_averages_count_groups_alike_and_skip_empty_ones() -> None:
    figures = {"a": Figures(bytes=20, tokens=10), "b": Figures(bytes=4000, tokens=1000), "c": Figures()}
    assert mean_ratio(figures, ["a", "b", "c"]) == pytest.approx(3)
    assert mean_ratio(figures, ["c"]) is None
    assert together(figures.values()).bytes_per_token == pytest.approx(4020 / 1010)
