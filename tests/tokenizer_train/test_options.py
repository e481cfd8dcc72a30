"""The options of the tokenizer: what cannot be is refused, with the reason."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from eyas.tokenizer_train.options import SPECIAL_TOKENS, TokenizerOptions


def options(**changes: object) -> TokenizerOptions:
    return TokenizerOptions.model_validate({"vocab_sizes": [600, 700], "latex": {"inject": "builtin"}, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"special_tokens": ["<|pad|>", "<|begin_of_text|>"]}, "must hold <|end_of_text|>"),
        ({"special_tokens": [*SPECIAL_TOKENS, "<|pad|>"]}, "a token twice"),
        ({"latex": {"inject": ["frac"]}}, "not a LaTeX command"),
        ({"latex": {"inject": ["\\fr ac"]}}, "not a LaTeX command"),
        ({"vocab_sizes": []}, "vocab_sizes"),
        ({"vocab_size": 400}, "vocab_size"),
    ],
)
def test_options_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("|", r"\|")):
        options(**changes)


def test_a_preset_and_options_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="pretokenizer: qwen decides how text is cut: leave out split_digits"):
        TokenizerOptions(pretokenizer="qwen", split_digits="each")


def test_control_tokens_are_the_special_ones_then_the_reserved_ones() -> None:
    assert options(reserved_tokens=2).control_tokens == [*SPECIAL_TOKENS, "<|reserved_0|>", "<|reserved_1|>"]


def test_a_vocabulary_without_room_for_its_fixed_tokens_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"vocab_sizes: 300 has no room for 256 bytes, 12 control tokens and \d+"):
        options(vocab_sizes=[300, 700])


@pytest.mark.parametrize("weight", [0.0005, -1, 1001])
def test_weights_are_zero_or_between_a_thousandth_and_a_thousand(weight: float) -> None:
    assert options(weights={"source": {"web": 0, "code": 0.001}}).weights.source == {"web": 0, "code": 0.001}
    with pytest.raises(ValidationError, match="weights"):
        options(weights={"source": {"web": weight}})
