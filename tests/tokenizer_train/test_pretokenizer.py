"""The pretokenizer: nothing is lost, and digits, punctuation and LaTeX commands are cut as Falcon-H1's authors state."""

from __future__ import annotations

import itertools
import random

import pyarrow as pa
import pytest
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from eyas.tokenizer_train import Pretokenizer
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.pretokenizer import PRESETS, _by_pattern

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
    options = TokenizerOptions(split_digits="groups_of_3", split_punctuation=False)
    for pretokenizer in (Pretokenizer.of(options), PRESETS["llama-3"]):
        assert cut(pretokenizer, "I'll say: (hello) 2024!!\n\n x") == [
            "I", "'ll", " say", ":", " (", "hello", ")", " ", "202", "4", "!!\n\n", " x",
        ]  # fmt: skip


def test_contractions_and_ideographs_are_options() -> None:
    plain = TokenizerOptions(split_punctuation=False, contractions=False)
    assert cut(Pretokenizer.of(plain), "I'll") == ["I", "'ll"]  # the apostrophe stands before letters
    assert cut(Pretokenizer.of(plain), "I''ll") == ["I", "''", "ll"]
    apart = Pretokenizer.of(TokenizerOptions(split_cjk=True))
    assert cut(apart, "abc中文 カタカナーdef e\u0301々") == ["abc", "中文", " カタカナー", "def", " e\u0301", "々"]
    assert cut(Pretokenizer(), "abc中文") == ["abc中文"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_recognised_by_its_expression(preset: str) -> None:
    assert Pretokenizer.of_pattern(PRESETS[preset].pattern) == PRESETS[preset]
    assert Pretokenizer.of_pattern(PRESETS[preset].pattern + "|x") is None
    cuts = TokenizerOptions.model_validate({"pretokenizer": preset, "latex": None})
    assert Pretokenizer.of(cuts) == PRESETS[preset]


# Patterns as the published files spell them, and what they are here.
_SHARED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|"
_END = r"\s*[\r\n]+|\s+(?!\S)|\s+"
PUBLISHED = {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt-2",
    _SHARED % r"\p{N}{1,3}" + _END: "llama-3",
    _SHARED % r"\p{N}" + _END: "qwen",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s+\z|\s*[\r\n]|\s+(?!\S)|\s": "cl100k",
}


@pytest.mark.parametrize("pattern", PUBLISHED)
@settings(deadline=None, max_examples=150)
@given(text=HOSTILE)
def test_published_expressions_are_the_presets(pattern: str, text: str) -> None:
    found = Pretokenizer.of_pattern(pattern)
    assert found == PRESETS[PUBLISHED[pattern]]
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    assert [piece for piece, _ in split.pre_tokenize_str(text)] == by_kernel(found, [text])[0]


def by_kernel(pretokenizer: Pretokenizer, texts: list[str]) -> list[list[str]]:
    """The pieces as the kernel cuts them."""
    column = pa.array(["before", *texts], pa.large_string()).slice(1)  # a slice: offsets do not start at 0
    ends, documents = pretokenizer.cut(column)
    starts = [len("before"), *ends.tolist()]
    data = "".join(["before", *texts]).encode()
    pieces = [data[start:end].decode() for start, end in itertools.pairwise(starts)]
    return [pieces[a:b] for a, b in itertools.pairwise(documents.tolist())]


EVERY = list(_by_pattern().values())


@settings(deadline=None, max_examples=1500)
@given(st.sampled_from(EVERY), st.lists(HOSTILE, max_size=3))
def test_the_kernel_cuts_as_the_expression_does(pretokenizer: Pretokenizer, texts: list[str]) -> None:
    assert by_kernel(pretokenizer, texts) == [cut(pretokenizer, text) for text in texts]


def every_code_point(seed: int) -> str:
    """All of them, each between neighbours that decide differently."""
    chance = random.Random(seed)
    before = ["a", "1", " ", "'", "\n", "é", " .", "\\", "中", "\u0301", "  ", ""]
    after = [*before, "ll", "S"]
    codes = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    return "".join(chance.choice(before) + code + chance.choice(after) for code in codes)


def test_on_every_code_point() -> None:
    text = every_code_point(0)
    assert by_kernel(H1, [text])[0] == cut(H1, text)


@pytest.mark.slow
@pytest.mark.parametrize("pretokenizer", EVERY, ids=str)
def test_every_pattern_on_every_code_point(pretokenizer: Pretokenizer) -> None:
    text = every_code_point(1)
    assert by_kernel(pretokenizer, [text])[0] == cut(pretokenizer, text)
