"""How numbers are cut: the rule in words, whatever the tokenizer."""

from __future__ import annotations

import pytest
from compared_tokenizers import with_tokens

from eyas.tokenizer_train.report.digit_groups import describe, digit_groups

TWO = [f"{n:02}".encode() for n in range(100)]


THREE = [f"{n:03}".encode() for n in range(1000)]


@pytest.mark.parametrize(
    ("more", "digits", "rule", "cut_of_7"),
    [
        (TWO + THREE, r"\p{N}", "each digit", (1,) * 7),
        (TWO + THREE, r"\p{N}{1,3}", "groups of 3 from the left", (3, 3, 1)),
        (TWO + THREE, r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", "groups of 3 from the right", (1, 3, 3)),
        (TWO, r"\p{N}{1,2}", "groups of 2 from the left", (2, 2, 2, 1)),
        ([b"12", b"19", b"20", b"2000"], r"\p{N}+", "depends on the number", None),
    ],
)
def test_rules_of_numbers(more: list[bytes], digits: str, rule: str, cut_of_7: tuple[int, ...] | None) -> None:
    one = with_tokens(more, rf"{digits}|\p{{L}}+|\s+|[^\s\p{{L}}\p{{N}}]+")
    groups = digit_groups(one)
    assert describe(groups) == rule
    assert [group.numbers for group in groups[:4]] == [10, 90, 900, 1000]
    if cut_of_7 is not None:
        assert groups[6].cut == cut_of_7
    for group in groups:
        assert sum(group.cut) == group.digits
        assert group.least <= group.tokens <= group.most
        assert (group.share == 1) <= (group.least == group.most)
        assert group.same_in_text == 1


def test_a_space_that_joins_the_number_moves_cuts() -> None:
    pattern = r" ?\p{N}{1,3}|\p{L}+|\s+|[^\s\p{L}\p{N}]+"
    # ` 12` is a token, ` 123` is none: behind a space the first pair of digits stays together.
    one = with_tokens([b" 1", b" 12", b"23", b"123"], pattern)
    three = digit_groups(one)[2]
    alone = [one.pieces(ids) for ids in one.ids(["123", " 123"])]
    assert [list(map(len, pieces)) for pieces in alone] == [[3], [3, 1]]
    assert three.same_in_text < 1
