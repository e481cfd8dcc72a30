"""Finds e-mail addresses by their `@`, and reads to the left and to the right of it, within RFC 5321's limits.

Because the `@` comes first, the time is linear even on a million letters, or a million `@`. Compared with datatrove's
pattern, it also reads accented, Greek and Cyrillic letters, `joe [at] mail.org`, `%40` and `&#64;`, and it leaves alone what
only looks like an address: `pkg@4.17.21`, `icon@2x.png`, `git@github.com:`, `this@Outer.field`, `user@example.com`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from eyas.filters.privacy.spans import Detector, Span

_MAX_LOCAL: Final = 64
_MAX_DOMAIN: Final = 253
_ALNUM: Final = "A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u04ff"
"""Letters of the scripts that put spaces between words. Other letters may touch an address without being part of it."""
_OPEN, _CLOSE = r"[\[(<{]", r"[\])>}]"
_AT: Final = re.compile(
    r"@|%40|&#64;|&#x40;|\[ ?(?i:at) ?\] ?|\( ?(?i:at) ?\) ?|< ?(?i:at) ?> ?|\{ ?(?i:at) ?\} ?| AT "
)
_PLAIN_AT: Final = re.compile("@")
_SPELLINGS: Final = (
    " AT ",
    "%40",
    "&#",
    *(at + end for at in ("at", "AT", "At", "aT") for end in (")", "]", ">", "}", " )", " ]", " >", " }")),
)
"""Every text with another spelling of `@` has one of these: searching them is faster than the pattern."""
# Read backwards, from the `@` to the left.
_LOCAL: Final = re.compile(rf"[{_ALNUM}_.'&$~+-]{{1,{_MAX_LOCAL + 1}}}+")
_DOMAIN: Final = re.compile(rf"[{_ALNUM}.-]{{1,{_MAX_DOMAIN + 1}}}+")
_SPELLED: Final = re.compile(
    rf"[{_ALNUM}-]{{1,63}}+(?:(?:\.|%2[Ee]| DOT | ?{_OPEN} ?(?i:dot) ?{_CLOSE} ?)[{_ALNUM}-]{{1,63}}+){{1,8}}+"
)
_DOT: Final = re.compile(rf"%2[Ee]| DOT | ?{_OPEN} ?(?i:dot) ?{_CLOSE} ?")
_LITERAL: Final = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{3,45}+)\]")
_LABEL: Final = re.compile(rf"[{_ALNUM}](?:[{_ALNUM}-]{{0,61}}[{_ALNUM}])?")
_TOP: Final = re.compile(r"[^\W\d_]{2,24}|[xX][nN]--[A-Za-z0-9-]{2,59}")
_BOUNCE: Final = re.compile(r"[A-Za-z0-9_.+-]*(?:\+|(?i:bounce|return|owner|errors|sentto))[A-Za-z0-9_.+-]*=")
"""Mailing lists send from `list-bounces+joe=mail.org@list.org`: the reader's address is within the local part."""
_USERINFO: Final = re.compile(r"//[^\s/@]{1,64}:\Z")

_RESERVED: Final = frozenset({"example", "invalid", "localhost", "test"})
"""Top-level names that are never assigned (RFC 2606, section 2)."""
_RESERVED_DOMAINS: Final = frozenset({"example.com", "example.net", "example.org"})
"""Second-level names that are never assigned (RFC 2606, section 3)."""
_NOT_TOP: Final = re.compile(
    "bmp|class|cls|conf|cpp|css|csv|dll|exe|gif|html?|ico|jpe?g|jsx?|json|log|lua|mount|path|php|png|ps1|service|slice|sty|"
    "socket|svg|swf|tar|target|tgz|tiff|timer|toml|tsx|ttf|txt|wav|webp|woff|xml|ya?ml"
)
"""File and unit suffixes that end a word with an `@` in it, and are no top-level domain."""
_COMMON_TOP: Final = re.compile("[a-z]{2}|com|org|net|edu|gov|mil|int|info|biz|name|museum|coop|aero|mobi|asia|online")
_NOT_LOCAL: Final = frozenset({"git", "hg", "svn"})
"""Accounts that everybody uses: git@github.com."""
_LABELLED: Final = frozenset({"break", "continue", "return", "super", "this"})
"""Kotlin's labels, if a capital follows: this@Outer.field."""
_LEAST_OCTET: Final = 32
"""`tool@1.2.3.4` is a version, as in filters/privacy/ip.py."""


def _local(text: str, floor: int, at: int) -> int:
    """The start of the local part that ends at `at`; `at` itself if there is none."""
    window = text[max(floor, at - _MAX_LOCAL - 1) : at]
    backwards = _LOCAL.match(window[::-1])
    if backwards is None or backwards.end() > _MAX_LOCAL or window[-1] == ".":
        return at
    local = window[len(window) - backwards.end() :]
    local = local[local.rfind("..") + 2 :] if ".." in local else local
    local = local.lstrip(".'&~+-")
    start = at - len(local)
    before = text[start - 1] if start > floor else ""
    if before == "\\" and local[:1] in ("n", "r", "t") and len(local) > 1:
        start, local, before = start + 1, local[1:], ""  # "\\njoe@mail.org" in a string of code
    template = (
        local.startswith("$") or (before == "\\" != text[start - 2 : start - 1]) or (before == "%" and len(local) == 1)
    )
    if not local or local.lower() in _NOT_LOCAL or template:
        return at
    if before == ":" and _USERINFO.search(text, max(floor, start - 80), start):
        return at  # the password of https://user:password@host
    if before == "=" and "." in local:
        bounce = _BOUNCE.search(text, max(floor, start - _MAX_LOCAL), start)
        if bounce is not None and bounce.end() == start:
            return bounce.start()
    return start


def _domain(text: str, start: int, spelled: bool) -> tuple[int, str] | None:
    """The end of the domain that begins at `start`, and the domain in plain spelling."""
    literal = _LITERAL.match(text, start)
    if literal is not None:
        try:
            ipaddress.ip_address(literal[1])
        except ValueError:
            return None
        return literal.end(), literal[0]
    match = (_SPELLED if spelled else _DOMAIN).match(text, start)
    if match is None or match.end() - start > _MAX_DOMAIN:
        return None
    raw = match[0].rstrip(".-")
    if raw.endswith("E") and text.startswith("<gt>", start + len(raw)):
        raw = raw[:-1]  # Perl's documentation writes E<lt>joe@mail.orgE<gt>
    domain = _DOT.sub(".", raw) if spelled else raw
    labels = domain.split(".")
    if raw[-1:].isdigit() and raw.count(".") == 3:
        return _numeric(raw, start)
    if len(labels) > 2 and labels[-1].istitle() and domain[: -len(labels[-1])].islower() and raw.endswith(labels[-1]):
        # "write to joe@mail.org.Thanks": the next sentence is no label.
        raw = raw[: -len(labels.pop()) - 1]
        domain = ".".join(labels)
    top = labels[-1].lower()
    plausible = len(labels) > 1 and _TOP.fullmatch(top) and all(_LABEL.fullmatch(label) for label in labels)
    if not plausible or _NOT_TOP.fullmatch(top) or top in _RESERVED:
        return None
    if ".".join(labels[-2:]).lower() in _RESERVED_DOMAINS:
        return None
    if text.startswith("(", start + len(raw)) and not _COMMON_TOP.fullmatch(top):
        return None  # a call: matrix@other.view()
    return start + len(raw), domain


def _numeric(raw: str, start: int) -> tuple[int, str] | None:
    """The end of a domain that is a public IPv4 address, and the address; None for a version number."""
    try:
        address = ipaddress.IPv4Address(raw)
    except ValueError:
        return None
    public = address.is_global and max(address.packed) >= _LEAST_OCTET
    return (start + len(raw), raw) if public else None


def find_emails(text: str) -> Iterator[Span]:
    """Addresses with a plausible domain. The identity is the address in lower case and plain spelling."""
    floor = 0
    for sign in (_AT if any(spelling in text for spelling in _SPELLINGS) else _PLAIN_AT).finditer(text):
        at = sign.start()
        spelled = sign[0] != "@"
        if at < floor:
            continue
        end = at - 1 if spelled and at > floor and text[at - 1] == " " else at
        start = _local(text, floor, end)
        if start == end:
            continue
        domain = _domain(text, sign.end(), spelled)
        if text[start:end] in _LABELLED and domain is not None and domain[1] != domain[1].lower():
            continue
        if domain is not None and (sign[0] != " AT " or " DOT " in text[sign.end() : domain[0]]):
            yield Span(start, domain[0], f"{text[start:end]}@{domain[1]}".lower())
            floor = domain[0]


EMAIL: Final = Detector("email", rf"[^\s@]@[^\s@]|%40|&#64;|&#x40;| AT |{_OPEN} ?(?i:at) ?{_CLOSE}", find_emails)
