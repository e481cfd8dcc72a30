"""Counting pretokens against a plain dictionary, with tables that grow, spill, and documents that count more than once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.text_kernels.pretokens.pretokens import pretokens
from eyas.text_kernels.pretokens.rules import ANY, Rules
from eyas.text_kernels.utf8 import buffers

RULES = Rules(
    latex=1,
    contractions=2,
    before_letters=ANY,
    digits=3,
    space_before_digits=0,
    symbol_runs=1,
    newlines_after_symbols=1,
    newline_runs=1,
    final_space=0,
    marks=1,
    ideographs=0,
)
# Lengths around the 8, 16 bytes that fit into a slot's words, equal beginnings and ends.
FRAGMENTS = st.sampled_from(["a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "é" * 8, "é" * 9, "x" * 15, "x" * 16, "x" * 17,
                             "x" * 300, "x" * 299 + "y", "\0", "\0\0", " ", "\n", "1", "!", "中文"])  # fmt: skip
TEXTS = st.lists(st.lists(FRAGMENTS, max_size=12).map(" ".join) | st.text(max_size=20), max_size=8)


def naive(texts: list[str], weights: list[int] | None = None) -> Counter[bytes]:
    column = pa.array(texts, pa.large_string())
    ends, documents = pretokens(column, RULES)
    data = buffers(column)[0].tobytes()
    counts: Counter[bytes] = Counter()
    starts = [0, *ends.tolist()]
    for i, weight in enumerate(weights or [1] * len(texts)):
        for p in range(documents[i], documents[i + 1]):
            counts[data[starts[p] : starts[p + 1]]] += weight
    return counts


def as_counter(table: PretokenCounts) -> Counter[bytes]:
    pretoken, counts = table.counts()
    rows = pretoken.to_pylist()
    assert len(set(rows)) == len(rows)
    return Counter(dict(zip(rows, counts.tolist(), strict=True)))


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.data())
def test_counts_are_those_of_a_dictionary(texts: list[str], data: st.DataObject) -> None:
    weights = data.draw(st.none() | st.lists(st.integers(1, 2**40), min_size=len(texts), max_size=len(texts)))
    table = PretokenCounts()
    for part in (slice(0, len(texts) // 2), slice(len(texts) // 2, None)):
        each = None if weights is None else np.array(weights[part], np.uint64)
        table.add(pa.array(texts[part], pa.large_string()), RULES, each)
    assert as_counter(table) == naive(texts, weights)


def test_growing_loses_nothing() -> None:
    words = [f"{prefix}{number:06d}" for number in range(70_000) for prefix in ("n", "a longer word of letters ")]
    table = PretokenCounts()
    table.add(pa.array([" ".join(words)], pa.large_string()), RULES)
    assert as_counter(table) == naive([" ".join(words)])


def test_one_pretoken_larger_than_the_arena() -> None:
    text = "x" * 5_000_000
    table = PretokenCounts()
    table.add(pa.array([text, "y", text], pa.large_string()), RULES)
    assert as_counter(table) == Counter({text.encode(): 2, b"y": 1})


def test_what_is_spilled_adds_up_and_the_budget_is_kept() -> None:
    spilled: Counter[bytes] = Counter()
    sizes = []

    def spill(pretoken: pa.LargeBinaryArray, counts: np.ndarray) -> None:
        sizes.append(len(pretoken))
        for row, count in zip(pretoken.to_pylist(), counts.tolist(), strict=True):
            spilled[row] += count

    letters = "bcdfghjklmnpqrstvwxz"
    words = [a + b + c + d for a in letters for b in letters for c in letters for d in letters]
    texts = [" ".join(words[i : i + 2000]) for i in range(0, len(words), 2000)] * 2
    table = PretokenCounts(budget=4_000_000, spill=spill)
    table.add(pa.array(texts, pa.large_string()), RULES)
    table.flush()
    assert len(sizes) > 3
    assert max(sizes) * 32 < 4_000_000
    assert spilled == naive(texts)


def test_long_pretokens_count_towards_the_budget() -> None:
    spilled: Counter[bytes] = Counter()

    def spill(pretoken: pa.LargeBinaryArray, counts: np.ndarray) -> None:
        assert pretoken.nbytes < 12_000_000
        for row, count in zip(pretoken.to_pylist(), counts.tolist(), strict=True):
            spilled[row] += count

    table = PretokenCounts(budget=10_000_000, spill=spill)
    texts = [chr(97 + i % 26) * (1_000_000 + i) for i in range(40)]
    for text in texts:
        table.add(pa.array([text], pa.large_string()), RULES)
    assert spilled
    table.flush()
    assert spilled == Counter(text.encode() for text in texts)


def test_adding_counts_made_elsewhere() -> None:
    first, second = PretokenCounts(), PretokenCounts()
    first.add(pa.array(["a b a longer-than-sixteen-bytes c"], pa.large_string()), RULES)
    second.add_counted(*first.counts())
    second.add_counted(*first.counts())
    assert as_counter(second) == Counter({key: 2 * count for key, count in as_counter(first).items()})


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="nulls"):
        PretokenCounts().add(pa.array(["a", None], pa.large_string()), RULES)
