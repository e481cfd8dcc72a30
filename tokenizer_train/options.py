"""The options of the tokenizer, as they stand in a recipe under `tokenizer:`. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

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
"""pad, bos and eos at ids 0, 1 and 11: where Falcon-H1 has them."""

PAD, BOS, EOS = "<|pad|>", "<|begin_of_text|>", "<|end_of_text|>"


class LatexOptions(BaseModel):
    """LaTeX commands as single tokens: `latex: {inject: builtin}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    inject: Literal["builtin"] | list[str] = "builtin"
    """`builtin`: the common commands of mathematics and documents; or a list such as [\\frac, \\sqrt]."""

    @field_validator("inject")
    @classmethod
    def _commands(cls, value: Literal["builtin"] | list[str]) -> Literal["builtin"] | list[str]:
        for command in [] if value == "builtin" else value:
            if not (command.startswith("\\") and command[1:].isascii() and command[1:].isalpha()):
                raise ValueError(f"{command!r} is not a LaTeX command: a backslash and ASCII letters, such as \\frac")
        return value


class TokenizerOptions(BaseModel):
    """Byte-level BPE: `tokenizer: {vocab_sizes: [8192], …}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    vocab_sizes: list[Annotated[int, Field(ge=300, le=1_000_000)]] = Field(default=[32768], min_length=1)
    """Sizes to make, exact, special tokens and LaTeX commands included. One training to the largest gives them all:
    merges nest. The largest is the one that shards use (Falcon-H1: 32K to 261K)."""
    split_digits: Literal["each", "groups_of_3", "none"] = "each"
    """`each`: one digit, one pretoken (Falcon-H1). `groups_of_3`: up to three (Llama-3)."""
    split_punctuation: bool = True
    """Each punctuation mark and symbol is a pretoken of its own (Falcon-H1)."""
    latex: LatexOptions | None = None
    """Inject LaTeX commands; null: none."""
    special_tokens: list[str] = SPECIAL_TOKENS
    """Control tokens, in the order of their ids from 0; must hold <|pad|>, <|begin_of_text|> and <|end_of_text|>."""
    min_frequency: int = Field(default=2, ge=1)
    """Pairs that occur less often are not merged."""
    max_token_length: int = Field(default=64, ge=2)
    """Longest token in bytes."""
    train_bytes: ByteSize = ByteSize(2_000_000_000)
    """Learn from about this much curated text, spread evenly over all of it."""

    @model_validator(mode="after")
    def _consistent(self) -> TokenizerOptions:
        for token in (PAD, BOS, EOS):
            if token not in self.special_tokens:
                raise ValueError(f"special_tokens must hold {token}: shards and trainer rely on it")
        from tokenizer_train.latex import commands

        fixed = 256 + len(self.special_tokens) + len(commands(self.latex))
        if min(self.vocab_sizes) < fixed:
            raise ValueError(
                f"vocab_sizes: {min(self.vocab_sizes)} has no room for 256 bytes, {len(self.special_tokens)} special "
                f"tokens and {len(commands(self.latex))} LaTeX commands; it needs at least {fixed}"
            )
        if len(set(self.special_tokens)) != len(self.special_tokens):
            raise ValueError("special_tokens holds a token twice")
        return self
