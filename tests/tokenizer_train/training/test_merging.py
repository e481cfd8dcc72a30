"""The merge loop against `tokenizers`' own trainer: the same merges in the same order, whatever the words and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hostile import TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.training.merging import Learned, learn_merges

Merge = tuple[str, str]


def ours(words: Mapping[str, int], most: int, special: Sequence[str] = (), **options: Any) -> list[Merge]:
    """Merges as tokenizer.json would spell them; of the same pair twice the later one."""
    learned = learned_from(words, most, special, **options)
    names = [t.decode() if i < len(special) else to_characters(t) for i, t in enumerate(learned.tokens)]
    ranks: dict[tuple[int, int], None] = {}
    for pair in zip(learned.left.tolist(), learned.right.tolist(), strict=True):
        ranks.pop(pair, None)
        ranks[pair] = None
    return [(names[left], names[right]) for left, right in ranks]


def learned_from(words: Mapping[str, int], most: int, special: Sequence[str] = (), **options: Any) -> Learned:
    pretokens = pa.array([word.encode() for word in words], pa.large_binary())
    counts = np.array(list(words.values()), np.uint64)
    return learn_merges(pretokens, counts, most, special, **options)


def theirs(words: Mapping[str, int], most: int, special: Sequence[str] = (), **options: Any) -> list[Merge]:
    """What `tokenizers` learns from texts in which each word, which holds no white space, stands so often."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=most,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **{name: value for name, value in options.items() if value is not None},
    )
    tokenizer.train_from_iterator([" ".join([word] * count) for word, count in words.items()], trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


# Few letters: the same token is then made in several ways, which is where trainers differ.
WORDS = st.integers(1, 4).flatmap(
    lambda letters: st.dictionaries(
        st.text("abcd"[:letters], min_size=1, max_size=24), st.sampled_from([1, 1, 2, 3, 10]), min_size=1, max_size=30
    )
)


@settings(deadline=None, max_examples=400)
@given(
    WORDS,
    st.integers(1, 120),
    st.sampled_from([[], ["<s>"], ["ab", "a"], ["aab", "b c"]]),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from([None, 2, 3, 4, 6, 9]),
)
def test_merges_are_those_of_tokenizers(
    words: dict[str, int], new: int, special: list[str], least: int, longest: int | None
) -> None:
    most = 256 + len(special) + new
    options = {"min_frequency": least, "max_token_length": longest}
    assert ours(words, most, special, **options) == theirs(words, most, special, **options)


def words_of(texts: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
    return counts


@pytest.mark.parametrize("options", [{}, {"min_frequency": 2}, {"max_token_length": 5}])
def test_on_words_of_many_scripts(options: dict[str, int]) -> None:
    words = words_of(TRAINING)
    assert ours(words, 900, **options) == theirs(words, 900, **options)


def test_the_order_of_words_does_not_matter() -> None:
    words = words_of(TRAINING)
    backwards = dict(reversed(words.items()))
    assert ours(words, 800) == ours(backwards, 800)


@settings(deadline=None, max_examples=100)
@given(WORDS, st.integers(1, 40), st.integers(1, 40))
def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one(words: dict[str, int], new: int, more: int) -> None:
    small, large = learned_from(words, 256 + new), learned_from(words, 256 + new + more)
    for name in ("left", "right", "made", "counts"):
        found = getattr(small, name)
        assert getattr(large, name)[: len(found)].tolist() == found.tolist()
    assert large.tokens[: len(small.tokens)] == small.tokens


def test_a_pair_that_occurs_more_than_2_to_the_31_times_is_merged_first() -> None:
    """Where counts are 32-bit it is lost: `tokenizers` 0.23 and rustbpe 0.1 merge "cd" first."""
    words = {"ab": 3_000_000_000, "cd": 2_000_000_000, "abab": 2**33, "ef": 2**40}
    learned = learned_from(words, 260, min_frequency=2)
    assert [learned.tokens[i] for i in learned.made.tolist()] == [b"ef", b"ab", b"abab", b"cd"]
    assert learned.counts.tolist() == [2**40, 3_000_000_000 + 2 * 2**33, 2**33, 2_000_000_000]


def test_counts_up_to_64_bits_keep_their_order() -> None:
    words = {"ab": 2**62, "cd": 2**62 + 1, "ef": 2**62 - 1}
    learned = learned_from(words, 259)
    assert [learned.tokens[i] for i in learned.made.tolist()] == [b"cd", b"ab", b"ef"]


@pytest.mark.parametrize("length", [1, 2, 3, 1000, 1_000_001])
def test_one_letter_repeated(length: int) -> None:
    learned = learned_from({"a" * length: 1}, 300)
    assert learned.exhausted or len(learned.tokens) == 300
    assert all(token == b"a" * len(token) for token in learned.tokens[256:])
    if length <= 1000:
        assert ours({"a" * length: 1}, 300) == theirs({"a" * length: 1}, 300)


def test_a_long_text_without_a_space() -> None:
    chance = np.random.default_rng(0)
    word = "".join(chance.choice(list("abcdefgh"), 30_000))
    assert ours({word: 1}, 1500, min_frequency=2) == theirs({word: 1}, 1500, min_frequency=2)


def test_no_words_at_all() -> None:
    for words in ({}, {"": 3}, {"a": 5}):
        learned = learned_from(words, 300)
        assert (len(learned.tokens), len(learned.left), learned.exhausted) == (256, 0, True)


def test_progress_grows_to_the_number_of_learned_tokens() -> None:
    seen: list[int] = []
    learned = learned_from(words_of(TRAINING), 1300, progress=seen.append)
    assert seen[-1] == len(learned.tokens)
    assert all(a <= b for a, b in pairwise(seen))
