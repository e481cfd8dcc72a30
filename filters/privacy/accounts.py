"""Finds bank account and payment card numbers.

A check digit alone is no proof: one random number in ten passes Luhn. So a card must be written in the groups of its
network (4-4-4-4, or 4-6-5 for American Express) and not in a table, or have a word such as `card` or `visa` before it on
the same line. In 36,000 files of code, 25 numbers of 14 to 19 digits pass Luhn and begin like a card; so did 20 rows of a
table of four-digit numbers. None is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from stdnum import iban, luhn, numdb

from eyas.filters.privacy.spans import Detector, Span

_IBAN_HEAD: Final = re.compile(r"[A-Z](?<![^\W_].)[A-Z][0-9]{2}[ \u00a0-]?(?=[A-Z0-9]{4})")
_STRUCTURE: Final = re.compile(r"([0-9]+)!?[nac]")
_NETWORKS: Final = (
    # ISO/IEC 7812 prefixes and lengths as the networks publish them, as (first prefix, last prefix, lengths).
    ("4", "4", (16,)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16,)),  # Discover
    ("644", "659", (16,)),
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16,)),  # JCB
    ("62", "62", (16, 19)),  # UnionPay
)
_EXAMPLES: Final = (
    "4111111111111111 4242424242424242 4012888888881881 4000056655665556 4000000000000002 5555555555554444 "
    "5105105105105100 5200828282828210 2223003122003222 378282246310005 371449635398431 6011111111111117 "
    "6011000990139424 3056930009020004 30569309025904 38520000023237 36227206271667 3530111333300000 "
    "3566002020360505 6200000000000005"
)
"""Numbers that payment services publish for tests (Stripe, PayPal, Braintree); they belong to nobody."""
_GAP: Final = r"[ \u00a0-]"
_CARD: Final = re.compile(
    rf"[2-6](?<![\w.,+*/^$-].)(?:"
    rf"[0-9]{{3}}({_GAP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}}(?![0-9]))?"
    rf"|(?<=3)[0-9]{{3}}({_GAP})[0-9]{{6}}\2[0-9]{{4,5}}"
    rf"|[0-9]{{13,18}}+)(?![\w*^]|[.,]?[0-9]|{_GAP}[0-9]{{4}})"
)
_CARD_WORD: Final = re.compile(
    r"(?<![<\w])(?:card|cards|cc|ccn|pan|visa|mastercard|amex|american express|discover|diners|jcb|unionpay|maestro|"
    r"credit|debit|kreditkarte|karte|carte|tarjeta|carta|cartão|kaart|карта|карты)(?![^\W_])",
    re.IGNORECASE,
)
_OTHER_GROUP: Final = re.compile(r"(?<![0-9])[0-9]{4,8}(?![0-9])")
_REACH: Final = 48
"""How many characters of the line are searched for such a word, or for other groups of digits."""


@cache
def _iban_bodies() -> dict[str, re.Pattern[str]]:
    """By country code, the pattern of an IBAN of its length, written in one piece or in groups of four."""
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    bodies = {}
    for country in (first + second for first in letters for second in letters):
        structure = numdb.get("iban").info(country)[0][1].get("bban")
        if structure:
            length = 4 + sum(int(count) for count in _STRUCTURE.findall(structure))
            groups, rest = divmod(length, 4)
            tail = rf"\1[A-Z0-9]{{{rest}}}" if rest else ""
            grouped = rf"[A-Z0-9]{{4}}({_GAP})[A-Z0-9]{{4}}(?:\1[A-Z0-9]{{4}}){{{groups - 2}}}{tail}"
            bodies[country] = re.compile(rf"(?:[A-Z0-9]{{{length}}}|{grouped})(?![^\W_])")
    return bodies


def find_ibans(text: str) -> Iterator[Span]:
    """IBANs with the length, structure and check digits of their country (python-stdnum).

    The identity is the IBAN without spaces.
    """
    bodies = _iban_bodies()
    floor = 0
    for head in _IBAN_HEAD.finditer(text):
        body = bodies.get(head[0][:2])
        match = body.match(text, head.start()) if body is not None and head.start() >= floor else None
        if match is None:
            continue
        compact = re.sub(_GAP, "", match[0])
        if iban.is_valid(compact):
            yield Span(match.start(), match.end(), compact)
            floor = match.end()


def is_card(digits: str) -> bool:
    """Whether `digits` has the prefix and length of a network and Luhn's check digit, and is no published example."""
    known = any(len(digits) in lengths and first <= digits[: len(first)] <= last for first, last, lengths in _NETWORKS)
    return known and luhn.is_valid(digits) and digits not in _EXAMPLES.split() and len(set(digits)) > 2


def _line_start(text: str, start: int) -> int:
    """The beginning of the line around `start`, at most `_REACH` characters before it."""
    reach = max(0, start - _REACH)
    return max(reach, text.rfind("\n", reach, start) + 1)


def _in_table(text: str, start: int, end: int) -> bool:
    """Whether other groups of four digits or more are on the same line nearby."""
    stop = text.find("\n", end, end + _REACH)
    before = text[_line_start(text, start) : start]
    after = text[end : end + _REACH if stop < 0 else stop]
    return _OTHER_GROUP.search(before) is not None or _OTHER_GROUP.search(after) is not None


def find_cards(text: str) -> Iterator[Span]:
    """Payment card numbers. The identity is the digits."""
    for match in _CARD.finditer(text):
        digits = re.sub(_GAP, "", match[0])
        if not is_card(digits):
            continue
        alone = digits != match[0] and not _in_table(text, match.start(), match.end())
        if not alone and not _CARD_WORD.search(text, _line_start(text, match.start()), match.start()):
            continue
        yield Span(match.start(), match.end(), digits)


IBAN: Final = Detector("iban", r"[A-Z]{2}[0-9]{2}[ \x{a0}-]?[A-Z0-9]{4}[ \x{a0}-]?[A-Z0-9]{2}", find_ibans)
CARD: Final = Detector("card", r"[2-6][0-9]{3}[ \x{a0}-]?[0-9]{4,6}[ \x{a0}-]?[0-9]{4}", find_cards)
