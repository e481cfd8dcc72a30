"""Finds telephone numbers by Google's metadata (the package `phonenumbers`).

Without regions, only international numbers count (`+353 1 496 0000`), because digits alone mean nothing. With regions, a
run of digits counts too if the package's matcher takes it for a number, and if a word such as `tel` announces it or it is
grouped like a number. The matcher alone, at its leniency VALID, was wrong in almost every hit on web pages and code:
decimals, dates, page numbers, the FSF's postcode. It takes up to 20 ms on a bad line, so it gets single runs of at most 40
digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher

from eyas.filters.privacy.spans import Detector, Span

_SEPARATOR: Final = r"[ ().\-/\u00a0\u2010\u2011\u2012\u2013\u202f]"
_GAP: Final = rf"{_SEPARATOR}{{0,3}}"
_INTERNATIONAL: Final = re.compile(rf"\+(?<![\w+]\+)[ ]?\(?[1-9](?:{_GAP}[0-9]){{6,14}}+(?![^\WxX]|[*^=]|[.,]?[0-9])")
_JOINT: Final = rf"(?:\)[ \-/]?| ?\(| [\-/\u2013] |{_SEPARATOR})?"
_NATIONAL: Final = re.compile(
    rf"[(0-9](?<![\w,+$€£#=^*/@\[-].)(?<![0-9][.:].)(?:(?<=\()[0-9])?(?:{_JOINT}[0-9])++(?![^\WxX]|[*^=%@\]]|[:.,/-]\w)"
)
_MIN_DIGITS: Final = 7
_MAX_DIGITS: Final = 40
_DECIMAL: Final = re.compile(r"\+ ?[0-9]+[.][0-9]+")
_GROUP: Final = re.compile(rf"(?<=[0-9]){_SEPARATOR}{{1,3}}")
_ANNOUNCED: Final = re.compile(
    r"(?<![^\W_])(?<!<)(?:tel|tele|phones?|telephone|telefon|téléphone|teléfono|telefono|telefone|fax|mobile|mobil|cell|"
    r"call|handy|whatsapp|sms|ph|mob|voice|hotline|телефон|тел|факс|电话|電話|전화)"
    r"(?:[\W_]{1,4}[^\W\d_]{1,8}){0,2}[\W_]{0,6}\Z",
    re.IGNORECASE,
)
_GROUPS: Final = re.compile(r"[0-9]+")
_TRUNK_DIGITS: Final = 9
_REACH: Final = 40
"""How many characters before a number are searched for such a word."""
_PATCH: Final = re.compile(r"^@@ -[0-9]", re.MULTILINE)


def _identity(number: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _parsed(raw: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(raw, None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def find_international(text: str) -> Iterator[Span]:
    """Numbers with `+` and a country code; groups of digits after a complete number are not part of it."""
    patch: bool | None = None
    for match in _INTERNATIONAL.finditer(text):
        raw = match[0]
        if _DECIMAL.fullmatch(raw):
            continue  # a coordinate or a rate
        if raw[1:].isdigit() and (match.start() == 0 or text[match.start() - 1] == "\n"):
            patch = _PATCH.search(text) is not None if patch is None else patch
            if patch:
                continue  # a line added by a patch
        number = _parsed(raw)
        while number is None:
            cuts = [cut.start() for cut in _GROUP.finditer(raw)]
            if len(cuts) < 2:
                break
            raw = raw[: cuts[-1]]
            number = _parsed(raw)
        if number is not None:
            yield Span(match.start(), match.start() + len(raw), _identity(number))


def find_national(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Numbers as they are dialled within one of `regions`; the first region that accepts a run of digits decides."""
    for digits in _NATIONAL.finditer(text):
        run = digits[0]
        if not _MIN_DIGITS <= sum(map(str.isdigit, run[: 4 * _MAX_DIGITS])) <= _MAX_DIGITS:
            continue
        announced = _ANNOUNCED.search(text, max(0, digits.start() - _REACH), digits.start()) is not None
        if not announced and not _dialled(run):
            continue
        leniency = Leniency.VALID if announced else Leniency.STRICT_GROUPING
        for region in regions:
            matches = list(PhoneNumberMatcher(run, region, leniency))
            if not announced and [match.raw_string.strip("()") for match in matches] != [run.strip("()")]:
                continue  # a part of a run is weak evidence: octal ranges such as 0240–0377 (0241–0376)
            for match in matches:
                yield Span(digits.start() + match.start, digits.start() + match.end, _identity(match.number))
            if matches:
                break


def _dialled(run: str) -> bool:
    """Whether a run of digits without such a word has the groups of a number: (415) 555-2671, 020 7946 0958."""
    groups = [len(group) for group in _GROUPS.findall(run)]
    american = groups == [3, 3, 4] or (groups == [1, 3, 3, 4] and run.startswith("1"))
    trunk = run.lstrip("(").startswith("0") and len(groups) > 2 and min(groups) > 1 and sum(groups) >= _TRUNK_DIGITS
    return american or trunk


def find_phones(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """International numbers, and those of `regions`. The identity is the number in E.164."""
    spans = list(find_international(text)) if "+" in text else []
    if regions:
        taken = [(span.start, span.end) for span in spans]
        national = (s for s in find_national(text, regions) if not any(a < s.end and s.start < b for a, b in taken))
        spans = sorted([*spans, *national])
    yield from spans


def phone(regions: tuple[str, ...]) -> Detector:
    """The detector of international numbers, and of the national ones of `regions` (ISO 3166 codes)."""
    gap = r"[ ().\-/\x{a0}\x{2010}\x{2011}\x{2012}\x{2013}\x{202f}]{0,3}"
    digits = rf"(?:{gap}[0-9]){{6}}"
    return Detector(
        "phone", rf"[0-9]{digits}" if regions else rf"\+ ?\(?[1-9]{digits}", partial(find_phones, regions=regions)
    )
