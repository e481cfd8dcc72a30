"""Trains byte-level BPE vocabularies: once to the largest size, from which every smaller one is cut.

BPE is greedy, so vocabularies nest. Ids are in this order: control tokens, reserved ones, 256 bytes, LaTeX commands, then
merges in the order in which they were learned. So a token has the same id in every size, and a model may grow its
vocabulary without moving a row. Commands take the room of the last, least useful merges. The trade: one count of pretokens
serves everything, so commands are chosen from it too, and an injected command is not learned a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer, decoders, models

from eyas.errors import InputError
from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.tokenizer_train.alphabet import BYTE_ORDER, to_characters
from eyas.tokenizer_train.options import BOS, EOS, PAD, TokenizerOptions
from eyas.tokenizer_train.pretokenizer import Pretokenizer
from eyas.tokenizer_train.training.injection import chosen, without_commands
from eyas.tokenizer_train.training.merging import Learned, learn_merges

_BATCH_CHARACTERS = 4_000_000


class VocabularyTooLarge(InputError):
    """The text does not hold enough pairs for the vocabulary's size."""


@dataclass(frozen=True)
class Vocabulary:
    """A trained vocabulary: `build(size)` makes a tokenizer of any of the trained sizes."""

    options: TokenizerOptions
    commands: tuple[str, ...]
    """Injected LaTeX commands, in the order of their ids."""
    learned: Learned

    @cached_property
    def _fixed(self) -> list[str]:
        """The tokens that every size has, as tokenizer.json spells them."""
        letters = [to_characters(bytes([byte])) for byte in BYTE_ORDER]
        return [*self.options.control_tokens, *letters, *self.commands]

    @cached_property
    def _spelled(self) -> list[str]:
        """Learned tokens by their number in `learned`: bytes, then the tokens of merges."""
        return [to_characters(token) for token in self.learned.tokens]

    def merges(self, size: int) -> list[tuple[str, str]]:
        """The merges of the vocabulary of `size` tokens, in order of rank."""
        most = size - len(self._fixed) + 256
        ranks: dict[tuple[int, int], None] = {}
        known = 256
        columns = (self.learned.left.tolist(), self.learned.right.tolist(), self.learned.made.tolist())
        for left, right, made in zip(*columns, strict=True):
            if known >= most:
                break
            # If a pair occurs twice, `tokenizers` keeps the later rank.
            ranks.pop((left, right), None)
            ranks[left, right] = None
            known = max(known, made + 1)
        return [(self._spelled[left], self._spelled[right]) for left, right in ranks]

    def vocab(self, size: int) -> dict[str, int]:
        """Exactly `size` tokens and their ids; InputError if fewer were learned, or more are fixed."""
        tokens = [*self._fixed, *self._spelled[256 : size - len(self._fixed) + 256]]
        if len(tokens) != size:
            raise InputError(
                f"a vocabulary of {size:,}: choose a size between {len(self._fixed):,} and {len(tokens):,}"
            )
        vocab = {token: number for number, token in enumerate(tokens)}
        assert len(vocab) == size, "two tokens are spelled alike"
        return vocab

    def build(self, size: int) -> Tokenizer:
        """The tokenizer of `size` tokens, as `tokenizers` runs it.

        `ignore_merges` makes a pretoken that is in the vocabulary one token without looking at merges. So an injected
        command, which no merge makes, comes out whole, and an unknown command falls back to BPE.
        """
        model = models.BPE(vocab=self.vocab(size), merges=self.merges(size), ignore_merges=True)
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = Pretokenizer.of(self.options).to_tokenizers()
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(list(self.options.control_tokens))
        return tokenizer


def train_bpe(texts: Iterable[str], options: TokenizerOptions) -> Vocabulary:
    """Learns the vocabularies of `options.vocab_sizes` from `texts`, on one core. Raises as `learn` does."""
    counts = PretokenCounts()
    rules = Pretokenizer.of(options).rules
    for batch in _batched(texts):
        counts.add(batch, rules)
    return learn(*counts.counts(), options)


def _batched(texts: Iterable[str]) -> Iterator[pa.LargeStringArray]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_CHARACTERS:
            yield pa.array(batch, pa.large_string())
            batch, size = [], 0
    yield pa.array(batch, pa.large_string())


def learn(
    pretokens: pa.LargeBinaryArray,
    counts: npt.NDArray[np.uint64],
    options: TokenizerOptions,
    progress: Callable[[int], None] | None = None,
) -> Vocabulary:
    """Learns from distinct pretokens of `Pretokenizer.of(options)` and their counts.

    `progress` gets the number of tokens that the largest vocabulary has so far. Raises `VocabularyTooLarge`, with the
    largest possible size, if there are too few merges; InputError if a learned token is spelled like a control token.
    """
    if not len(counts):
        raise VocabularyTooLarge("tokenizer: there is no text to learn from, or all of it has the weight 0")
    commands = () if options.latex is None else chosen(options.latex, pretokens, counts)
    if Pretokenizer.of(options).latex:
        pretokens, counts = without_commands(pretokens, counts, commands)
    fixed = len(options.control_tokens) + len(commands)
    smallest, largest = min(options.vocab_sizes), max(options.vocab_sizes)
    if smallest < fixed + 256:
        raise InputError(
            f"tokenizer: a vocabulary of {smallest:,} has no room for 256 bytes, {len(options.control_tokens):,} control "
            f"tokens and {len(commands):,} LaTeX commands: raise `vocab_sizes`, or inject fewer commands"
        )
    learned = learn_merges(
        pretokens,
        counts,
        largest - fixed,
        min_frequency=options.min_frequency,
        max_token_length=options.max_token_length,
        progress=None if progress is None else lambda known: progress(known + fixed),
    )
    size = len(learned.tokens) + fixed
    if size < largest:
        raise VocabularyTooLarge(
            f"tokenizer: the text gives a vocabulary of {size:,} at most, {largest:,} was asked for. "
            f"Lower `vocab_sizes`, lower `min_frequency` (now {options.min_frequency}), or give more text."
        )
    spelled = {*map(to_characters, learned.tokens), *commands}
    for token in options.control_tokens:
        if token in spelled:
            raise InputError(
                f"tokenizer: the control token {token!r} is spelled as a byte, a LaTeX command or a learned token is in "
                f"tokenizer.json: choose another spelling, such as <|name|>"
            )
    return Vocabulary(options, commands, learned)


def tokenizer_config() -> dict[str, Any]:
    """The content of tokenizer_config.json, which `transformers.AutoTokenizer` needs beside tokenizer.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": EOS,
        "clean_up_tokenization_spaces": False,
    }
