"""Finds IPv4 and IPv6 addresses as Python's `ipaddress` reads them; only public ones, unless `private` is set.

Four small numbers with dots may also be a version or a section number. Two rules detect that: a word such as `version` just
before; or all four numbers below 32 (true of one public address in 4,000 by chance), unless a word such as `host` or `//`
precedes them, or a port follows.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from eyas.filters.privacy.spans import Detector, Span

_SMALL: Final = 32
_LEAST_GROUPS: Final = 3
_LEAST_PREFIX: Final = 4
# A pattern that begins with a character and looks back from it is searched several times faster.
_V4: Final = re.compile(
    r"[0-9](?<![\w.].)(?<![A-Za-z]-.)[0-9]{0,2}+(?:\.[0-9]{1,3}+){3}(?!\w|\.[0-9]|-(?![0-9]{1,3}\.[0-9])[A-Za-z0-9])"
)
_V6: Final = re.compile(r"[23fF](?<![\w:.].)[0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,35}+(?!\w|\.\w)")
_VERSION: Final = re.compile(
    r"(?<![^\W_])(?:v|ver|vers|version|versión|versione|versão|versions|release|rel|rev|revision|build|firmware|fw|"
    r"driver|update|upgrade|patch|oid|sections?|sec|chapter|abschnitt|kapitel|appendix|clause|figure|fig|table|версия|версии)"
    r"\]?[\s:=.(\"'#]{0,3}\Z|[§№]\s?\Z",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(
    r"(?:(?<![^\W_])(?:ip|ipv4|addr|address|adresse|host|dns|nameserver|gateway|peer|ping)[\s:=(\"'\[]{1,3}|//|@)\Z",
    re.IGNORECASE,
)
_PORT: Final = re.compile(r":[0-9]{2,5}(?![\w.])|/(?:[12]?[0-9]|3[0-2])(?![\w.])")
_HEADING: Final = re.compile(r"\.[ \t]|\.?\n")
_REVERSED: Final = ".in-addr.arpa"
_REACH: Final = 24
"""How many characters before an address are searched for such a word."""


def _wanted(address: ipaddress.IPv4Address | ipaddress.IPv6Address, private: bool) -> bool:
    if address.is_multicast or address.is_loopback or address.is_unspecified or address.is_reserved:
        return False  # groups, the own machine, unset addresses and netmasks belong to nobody
    return address.is_global or private


def _is_version(text: str, quad: re.Match[str]) -> bool:
    """Whether a dotted quad is probably a version or a section number."""
    before = max(0, quad.start() - _REACH)
    heading = _HEADING.match(text, quad.end()) and (quad.start() == 0 or text[quad.start() - 1] == "\n")
    if heading:
        return True
    if _VERSION.search(text, before, quad.start()):
        return True
    if max(map(int, quad[0].split("."))) >= _SMALL:
        return False
    return not (_ADDRESS.search(text, before, quad.start()) or _PORT.match(text, quad.end()))


def find_v4(text: str, private: bool) -> Iterator[Span]:
    """IPv4 addresses. The identity is the address."""
    for quad in _V4.finditer(text):
        try:
            address = ipaddress.IPv4Address(quad[0])
        except ValueError:
            continue
        if text.startswith(_REVERSED, quad.end()):
            address = ipaddress.IPv4Address(address.packed[::-1])
        elif _is_version(text, quad):
            continue
        if _wanted(address, private):
            yield Span(quad.start(), quad.end(), str(address))


def find_v6(text: str, private: bool) -> Iterator[Span]:
    """IPv6 addresses outside ::/3 (if `private`, also fc00::/7 and fe80::/10). The identity is the shortest spelling.

    A network such as `2001:4::/32` is nobody's address; one of four groups or more, `2001:db8:1:2::/64`, is a home's.
    Fewer than three groups may be a slice: `x[2000::2]`.
    """
    for match in _V6.finditer(text):
        raw = match[0]
        if raw.endswith(":") and not raw.endswith("::"):
            raw = raw[:-1]
        try:
            address = ipaddress.IPv6Address(raw)
        except ValueError:
            continue
        groups = sum(map(bool, raw.split(":")))
        if _wanted(address, private) and groups >= (_LEAST_PREFIX if raw.endswith("::") else _LEAST_GROUPS):
            yield Span(match.start(), match.start() + len(raw), str(address))


def find_ips(text: str, private: bool) -> Iterator[Span]:
    """IPv4 and IPv6 addresses in the order of the text."""
    spans = list(find_v4(text, private))
    if "::" in text or text.count(":") > 6:
        spans = sorted([*spans, *find_v6(text, private)])
    yield from spans


def ip(private: bool) -> Detector:
    """The detector of public addresses, if `private` also of private ones."""
    # `.*` between two colons would be simpler, but RE2 is as fast on bounded repeats.
    hint = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23fF][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2}"
    return Detector("ip", hint, partial(find_ips, private=private))
