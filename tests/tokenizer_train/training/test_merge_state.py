"""The example that the module draws is what the merge loop really does."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from eyas.tokenizer_train.training import merge_state
from eyas.tokenizer_train.training.merge_loop import merge_loop
from eyas.tokenizer_train.training.merge_pairs import left_of, pair_of, residual_of, right_of
from eyas.tokenizer_train.training.merge_start import (
    make_merges,
    make_pairs,
    make_scratch,
    make_sizes,
    make_tokens,
    make_words,
)
from eyas.tokenizer_train.training.merge_state import BORDER, ENTRIES, GONE, MERGES

DRAWN = [" ".join(line.split()) for line in (merge_state.__doc__ or "").splitlines()]


class Loop:
    """The state of the loop over a few words, advanced merge by merge."""

    def __init__(self, words: dict[str, int]) -> None:
        self.tokens, alphabet, known = make_tokens((), 300)
        self.sizes = make_sizes(self.tokens, known)
        pretokens = pa.array([word.encode() for word in words], pa.large_binary())
        self.words = make_words(pretokens, np.array(list(words.values()), np.uint64), alphabet)
        self.pairs = make_pairs(self.words, self.tokens, self.sizes, 1)
        self.merges = make_merges(100)
        self.scratch = make_scratch(len(self.tokens.length), 1000)

    def name(self, symbol: int) -> str:
        offsets = self.tokens.offsets
        names = {BORDER: "|", GONE: "GONE"}
        return names.get(symbol) or self.tokens.data[offsets[symbol] : offsets[symbol + 1]].tobytes().decode()

    def pair(self, number: int) -> str:
        return f"{self.name(left_of(np.uint64(number)))} + {self.name(right_of(np.uint64(number)))}"

    def merge_once(self) -> str:
        most = int(self.sizes[MERGES]) + 1
        state = (self.words, self.pairs, self.tokens, self.merges, self.scratch, self.sizes)
        assert merge_loop(*state, 10_000, most, np.uint64(1), 1 << 40) == 0
        return self.pair(self.merges.pair[most - 1])

    def symbols(self) -> str:
        return " ".join(self.name(symbol) for symbol in self.words.cells[::2].tolist())

    def places(self, pair: str) -> tuple[list[int], list[int]]:
        """The list of the pair's only entry: all of it, and what still stands as far as known."""
        (entry,) = (i for i in range(int(self.sizes[ENTRIES])) if self.pair(self.pairs.pair[i]) == pair)
        begin, extent = int(self.pairs.begin[entry]), int(self.pairs.extent[entry])
        listed = self.pairs.places[begin : begin + extent].tolist()
        return listed, listed[: int(self.pairs.length[entry])]


def test_the_drawn_example_is_the_real_state() -> None:
    loop = Loop({"low": 5, "lower": 2, "slow": 1})
    cells = len(loop.words.cells) // 2
    assert f"place {' '.join(map(str, range(cells)))}" in DRAWN
    assert f"word {' '.join(map(str, loop.words.cells[1::2].tolist()))}" in DRAWN
    assert f"at first {loop.symbols()}" in DRAWN
    rows = [f"{loop.merge_once()} {loop.symbols()}" for _ in range(4)]
    assert rows == DRAWN[DRAWN.index(rows[0]) :][:4]


def test_the_drawn_lists_are_the_real_ones() -> None:
    loop = Loop({"low": 5, "lower": 2, "slow": 1})
    for _ in range(2):
        loop.merge_once()
    # Looking at a list is what shortens it: the next merge looks at o + w.
    assert loop.places("low + e") == ([5], [5])
    loop.merge_once()
    assert loop.places("o + w") == ([2, 6, 13], [])
    for pair in ("l + o", "o + w", "lo + w", "low + e"):
        listed = " ".join(map(str, loop.places(pair)[0]))
        assert any(re.fullmatch(rf"{re.escape(pair)} (the start|merging .*?) {listed} .*", line) for line in DRAWN)


def test_a_merged_pair_keeps_its_count_but_for_what_overlaps_itself() -> None:
    loop = Loop({"aaa": 3, "xy": 2})
    assert loop.merge_once() == "a + a"
    a, x, y = (loop.words.cells[2 * place] for place in (3, 5, 6))
    # Three words of two pairs each; in each, the second pair is counted down when the first is merged.
    assert loop.merges.frequency[0] == 6
    assert residual_of(loop.merges, pair_of(int(a), int(a))) == 3
    assert residual_of(loop.merges, pair_of(int(x), int(y))) == 0
