"""Account and card numbers: against python-stdnum, and cases met in real text."""

from __future__ import annotations

import random

import pytest
from pii_matches import matches
from stdnum import iban, luhn

from eyas.filters.privacy.accounts import find_cards, find_ibans, is_card

IBANS = ("DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947")


@pytest.mark.parametrize("number", IBANS)
def test_ibans_are_those_of_stdnum(number: str) -> None:
    for spelling in (number, iban.format(number), iban.format(number, "-")):
        assert matches(find_ibans, f"An {spelling}, BIC") == [spelling]
        assert matches(find_ibans, f"An {spelling} AND MORE TEXT") == [spelling]
    rng = random.Random(7)
    for _ in range(200):
        changed = list(number)
        changed[rng.randrange(2, len(number))] = rng.choice("0123456789")
        text = "".join(changed)
        assert matches(find_ibans, text) == ([text] if iban.is_valid(text) else [])
    assert matches(find_ibans, f"x{number} {number}0 {number.lower()}") == []


def test_cards_have_their_networks_form() -> None:
    rng = random.Random(7)
    for first, length in (("4", 16), ("53", 16), ("2300", 16), ("6011", 16), ("37", 15), ("36", 14), ("3530", 16)):
        for _ in range(50):
            body = first + "".join(rng.choice("0123456789") for _ in range(length - 1 - len(first)))
            card = body + luhn.calc_check_digit(body)
            assert is_card(card) and not is_card(body + str((int(card[-1]) + 1) % 10))
            assert matches(find_cards, f"Visa: {card}") == [card]
            assert matches(find_cards, f"id = {card}") == []
            if length == 16:
                spelled = " ".join(card[i : i + 4] for i in range(0, 16, 4))
                assert matches(find_cards, f"pay {spelled} 12/29") == [spelled]
                assert matches(find_cards, f"{spelled}  4539 1488 0343 6467") == []
    assert matches(find_cards, "card 4111111111111111, 4242 4242 4242 4242, card 0.4539148803436467") == []
