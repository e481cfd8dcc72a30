"""The pretokenizer: nothing is lost, and digits, punctuation and LaTeX commands are cut as Falcon-H1's authors state."""

from __future__ import annotations

import itertools

import pytest
from hostile import HOSTILE
from hypothesis import given, settings
from tokenizers import Regex, pre_tokenizers

from tokenizer_train import Pretokenizer
from tokenizer_train.options import TokenizerOptions

ALL = [
    Pretokenizer(split_digits=digits, split_punctuation=punctuation, latex=latex)
    for digits, punctuation, latex in itertools.product(["each", "groups_of_3", "none"], [True, False], [True, False])
]
H1 = Pretokenizer(split_digits="each", split_punctuation=True, latex=True)


def cut(pretokenizer: Pretokenizer, text: str) -> list[str]:
    """The pieces as `tokenizers` cuts them, before bytes become characters."""
    split = pre_tokenizers.Split(Regex(pretokenizer.pattern), behavior="isolated")
    return [piece for piece, _ in split.pre_tokenize_str(text)]


@pytest.mark.parametrize("pretokenizer", ALL, ids=repr)
@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_pieces_joined_are_the_text(pretokenizer: Pretokenizer, text: str) -> None:
    pieces = cut(pretokenizer, text)
    assert "".join(pieces) == text
    assert all(pieces)
    finished = pretokenizer.to_tokenizers().pre_tokenize_str(text)
    assert len(finished) == len(pieces)
    alphabet = {character: byte for byte, character in enumerate(_bytes_to_unicode())}
    assert bytes(alphabet[c] for piece, _ in finished for c in piece) == text.encode()


def _bytes_to_unicode() -> list[str]:
    """GPT-2's table, byte 0 … 255: printable bytes stand for themselves, the others for 256, 257, …"""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


@settings(deadline=None, max_examples=150)
@given(HOSTILE)
def test_a_digit_and_a_punctuation_mark_are_each_a_piece_of_their_own(text: str) -> None:
    for piece in cut(Pretokenizer(), text):
        body = piece.removeprefix(" ") or piece
        marks = [c for c in body if c.isascii() and not c.isalnum() and c.isprintable() and c != " "]
        digits = [c for c in body if c in "0123456789٣०"]
        assert len(body) == 1 or not marks + digits


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello, world!!", ["Hello", ",", " world", "!", "!"]),
        ("in 2024: 3.14", ["in", " ", "2", "0", "2", "4", ":", " ", "3", ".", "1", "4"]),
        ("a  b\n\n c\t", ["a", " ", " b", "\n\n", " c", "\t"]),
        ("don't", ["don", "'", "t"]),
        ("snake_case", ["snake", "_", "case"]),
        ("हिन्दी cafe\u0301", ["हिन्दी", " cafe\u0301"]),
        (r"\frac{1}{2}", ["\\frac", "{", "1", "}", "{", "2", "}"]),
        (r"x\in\mathbb R", ["x", "\\in", "\\mathbb", " R"]),
        (r"\infty\inftyx", ["\\infty", "\\inftyx"]),
        (r"x = \alpha + \beta", ["x", " =", " ", "\\alpha", " +", " ", "\\beta"]),
        ("a\n \\item b", ["a", "\n", " ", "\\item", " b"]),
        (r"($\alpha$)", ["(", "$", "\\alpha", "$", ")"]),
        (r"a \\ b \, c \1", ["a", " \\", "\\", " b", " \\", ",", " c", " \\", "1"]),
    ],
)
def test_by_example(text: str, pieces: list[str]) -> None:
    assert cut(H1, text) == pieces


@pytest.mark.parametrize("punctuation", [True, False])
@pytest.mark.parametrize("before", ["", " ", "  ", "\n", "x", "1", "(", "({", " $", "}{", "\\\\", "é", "_"])
@pytest.mark.parametrize("after", ["", " ", "{", "_1", "\\beta", "2", "é", "."])
def test_a_command_is_one_piece_wherever_it_stands(punctuation: bool, before: str, after: str) -> None:
    pretokenizer = Pretokenizer(split_punctuation=punctuation, latex=True)
    assert "\\alpha" in cut(pretokenizer, f"{before}\\alpha{after}")


def test_groups_of_three_and_runs_of_digits() -> None:
    assert cut(Pretokenizer(split_digits="groups_of_3"), "1234567") == ["123", "456", "7"]
    assert cut(Pretokenizer(split_digits="none"), "1234567 89") == ["1234567", " ", "89"]


def test_without_splitting_punctuation_it_cuts_as_llama_3_does() -> None:
    pretokenizer = Pretokenizer(split_digits="groups_of_3", split_punctuation=False)
    assert cut(pretokenizer, "I'll say: (hello) 2024!!\n\n x") == [
        "I", "'ll", " say", ":", " (", "hello", ")", " ", "202", "4", "!!\n\n", " x",
    ]  # fmt: skip


def test_commands_are_no_pieces_in_training() -> None:
    training = Pretokenizer.of(TokenizerOptions(latex={"inject": "builtin"})).for_training()
    assert cut(training, r"\alpha") == ["\\", "alpha"]
