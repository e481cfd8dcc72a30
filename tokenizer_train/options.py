"""The options of the tokenizer, as a recipe gives them under `tokenizer:`. This module imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ByteSize, Field, model_validator

from eyas.corpus.options import Options
from eyas.errors import InputError
from eyas.tokenizer_train.latex_commands import LatexOptions, named
from eyas.tokenizer_train.patterns import PatternName

SPECIAL_TOKENS = [
    "<|pad|>",
    "<|begin_of_text|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|repository|>",
    "<|file|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
    "<|end_of_text|>",
]
"""In the order of their ids. pad, bos and eos are at ids 0, 1 and 11, as in Falcon-H1."""

PAD, BOS, EOS = "<|pad|>", "<|begin_of_text|>", "<|end_of_text|>"


def _in_thousandths(weight: float) -> float:
    if 0 < weight < 0.001:
        raise InputError("weights are counted in thousandths: 0, or at least 0.001")
    return weight


class Weights(Options):
    """`weights: {source: {web: 1, code: 2}, lang: {hi: 4}}`: how often a document counts; weights multiply, others are 1."""

    source: dict[str, Annotated[float, Field(ge=0, le=1000), AfterValidator(_in_thousandths)]] = {}
    """Weights by the source's name in the recipe."""
    lang: dict[str, Annotated[float, Field(ge=0, le=1000), AfterValidator(_in_thousandths)]] = {}
    """Weights by the column `lang`, which the stage `language` adds."""


class TokenizerOptions(Options):
    """Byte-level BPE: `tokenizer: {vocab_sizes: [8192], …}`."""

    vocab_sizes: list[Annotated[int, Field(ge=300, le=1_000_000)]] = Field(default=[32768], min_length=1)
    """Exact sizes to make, special tokens and LaTeX commands included. One training to the largest gives them all, because
    merges nest. Shards use the largest (Falcon-H1: 32K to 261K)."""
    pretokenizer: PatternName | None = None
    """Cut text as a published model does, instead of by the four options that follow."""
    split_digits: Literal["each", "groups_of_3", "none"] = "each"
    """`each`: every digit is a pretoken (Falcon-H1). `groups_of_3`: up to three are (Llama-3). `none`: all are."""
    split_punctuation: bool = True
    """Each punctuation mark and symbol is a pretoken of its own (Falcon-H1)."""
    contractions: bool = True
    """'s 't 're 've 'm 'll 'd are pretokens (Llama-3). It has no effect where punctuation is split."""
    split_cjk: bool = False
    """Runs of Han and kana are pretokens apart from other letters, so no token mixes both."""
    latex: LatexOptions | None = None
    """LaTeX commands to inject; null: none."""
    special_tokens: list[str] = SPECIAL_TOKENS
    """Control tokens, in the order of their ids from 0. <|pad|>, <|begin_of_text|> and <|end_of_text|> must be there."""
    reserved_tokens: int = Field(default=0, ge=0)
    """Number of control tokens without a meaning yet, <|reserved_0|> …, after the special ones (Falcon-H1: 1,024)."""
    min_frequency: int = Field(default=2, ge=1)
    """Pairs that occur less often are not merged."""
    max_token_length: int = Field(default=64, ge=3)
    """Tokens are shorter than this many bytes, but any two bytes may be one token (both as in `tokenizers`)."""
    train_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(2_000_000_000)
    """Learn from about this much curated text, spread evenly over all of it."""
    weights: Weights = Weights()
    """The mixture to learn from: how often a document counts, by its source and language."""
    min_count: int = Field(default=1, ge=1)
    """Pretokens that occur less often are left out. If `memory` is too small, this is raised, and the report says so."""
    memory: Annotated[ByteSize, Field(gt=0)] = ByteSize(4_000_000_000)
    """Bytes of memory for each counting task and for learning, about. Results depend on it only through `min_count`."""

    @property
    def control_tokens(self) -> list[str]:
        """Special tokens and reserved ones, by id."""
        return [*self.special_tokens, *(f"<|reserved_{number}|>" for number in range(self.reserved_tokens))]

    @model_validator(mode="after")
    def _consistent(self) -> TokenizerOptions:
        cuts = {"split_digits", "split_punctuation", "contractions", "split_cjk"} & self.model_fields_set
        if self.pretokenizer is not None and cuts:
            raise InputError(
                f"pretokenizer: {self.pretokenizer} decides how text is cut: leave out {', '.join(sorted(cuts))}"
            )
        for token in (PAD, BOS, EOS):
            if token not in self.special_tokens:
                raise InputError(f"special_tokens must hold {token}: shards and trainer rely on it")
        # Commands from the text are not known yet: `training.bpe.learn` checks again.
        commands = len(named(self.latex) or ())
        control = len(self.special_tokens) + self.reserved_tokens
        if min(self.vocab_sizes) < 256 + control + commands:
            raise InputError(
                f"vocab_sizes: {min(self.vocab_sizes)} has no room for 256 bytes, {control} control tokens and "
                f"{commands} LaTeX commands; it needs at least {256 + control + commands}"
            )
        if len(set(self.control_tokens)) != len(self.control_tokens):
            raise InputError("special_tokens holds a token twice")
        return self
