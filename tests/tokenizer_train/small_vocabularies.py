"""Small byte-level tokenizers for the tests of reachability and surgery: chosen by Hypothesis, or trained."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cache

from hostile import TRAINING
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.options import SPECIAL_TOKENS, TokenizerOptions
from eyas.tokenizer_train.training.bpe import train_bpe

ALPHABET = "ab 1éè"
PATTERNS = [r"\p{L}+|\p{N}| +", r" ?\p{L}+|\p{N}+|\s+", r"[^b]+|b+", r".", r"\p{L}\p{N}?|\s?1"]


def small(merges: list[tuple[str, str]], extra: list[str], pattern: str, ignore_merges: bool) -> Tokenizer:
    """All bytes at ids 0 to 255, what `merges` make, then `extra` tokens that merges need not make."""
    tokens = dict.fromkeys(to_characters(bytes([byte])) for byte in range(256))
    tokens |= dict.fromkeys(left + right for left, right in merges)
    tokens |= dict.fromkeys(extra)
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@st.composite
def vocabularies(draw: st.DrawFn, ignore_merges: bool | None = None) -> Tokenizer:
    """Merges of the alphabet's bytes and of what merges made, in any order; half characters among them."""
    parts = [to_characters(bytes([byte])) for byte in sorted(set(ALPHABET.encode()))]
    merges: dict[tuple[str, str], None] = {}
    for _ in range(draw(st.integers(0, 12))):
        pair = draw(st.tuples(st.sampled_from(parts), st.sampled_from(parts)))
        if len(pair[0] + pair[1]) <= 4 and pair not in merges:
            merges[pair] = None
            parts.append(pair[0] + pair[1])
    given_order = draw(st.permutations(list(merges)))
    extra = [
        to_characters(text.encode()) for text in draw(st.lists(st.text(ALPHABET, min_size=1, max_size=3), max_size=3))
    ]
    whole = draw(st.booleans()) if ignore_merges is None else ignore_merges
    return small(given_order, extra, draw(st.sampled_from(PATTERNS)), whole)


def all_texts(length: int, alphabet: str = ALPHABET) -> list[str]:
    """Every text of the alphabet up to `length` characters."""
    return ["".join(text) for size in range(1, length + 1) for text in itertools.product(alphabet, repeat=size)]


def ids_of(tokenizer: Tokenizer, texts: list[str]) -> Iterator[list[int]]:
    """The ids of each text."""
    for found in tokenizer.encode_batch(texts, add_special_tokens=False):
        yield found.ids


COMMANDS = ["\\frac", "\\alpha"]
_CUT = r"\\[A-Za-z]+| ?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]|\s*[\r\n]+|\s+(?!\S)|\s+"


@cache
def _learned() -> tuple[tuple[str, str], ...]:
    tokenizer = small([], [], _CUT, True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=760, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text for text in TRAINING if "\\" not in text], trainer)
    return tuple(tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"])


def trained(size: int = 700) -> Tokenizer:
    """Laid out as the pipeline does: control tokens, bytes, merges, LaTeX commands; sizes nest. A test may change it."""
    tokens = dict.fromkeys([*SPECIAL_TOKENS, *(to_characters(bytes([byte])) for byte in range(256))])
    merges = []
    for left, right in _learned():
        if len(tokens) == size - len(COMMANDS):
            break
        merges.append((left, right))
        tokens.setdefault(left + right)
    tokens |= dict.fromkeys(COMMANDS)
    assert len(tokens) == size
    content = json.loads(small([], [], _CUT, True).to_str())
    content["model"]["vocab"] = {token: number for number, token in enumerate(tokens)}
    content["model"]["merges"] = merges
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer


def of_the_pipeline(**changes: object) -> Tokenizer:
    """A tokenizer that the project itself trained, of 700 tokens, with a few placeholders."""
    options = TokenizerOptions.model_validate({"vocab_sizes": [700], "reserved_tokens": 40, **changes})
    return train_bpe(TRAINING, options).build(700)
