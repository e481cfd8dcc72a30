"""Finds secrets: keys in a form that identifies their issuer, private keys, and values assigned to names such as `password`.

A comment on every form names its source. Obvious stand-ins are left: `AKIAIOSFODNN7EXAMPLE`, `${TOKEN}`, `xxxx`,
`"changeme"`. Assigned values without a form must look random: letters and digits, and enough entropy for their length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from eyas.filters.privacy.spans import Detector, Span


class _Form(NamedTuple):
    """A form of keys. `hint`: an RE2 pattern that matches wherever `pattern` does. A group `value0` is masked alone."""

    hint: str
    pattern: str


_FORMS: Final = (
    # AWS: unique identifiers of access keys (IAM user guide, "IAM identifiers").
    _Form("A[KS]IA[A-Z0-9]", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    # GitHub: prefixes of 2021 (docs, "About authentication to GitHub").
    _Form("gh[pousr]_[A-Za-z0-9]", r"gh[pousr]_[A-Za-z0-9]{36,251}+(?![A-Za-z0-9])"),
    _Form("github_pat_", r"github_pat_[A-Za-z0-9_]{50,250}+(?![A-Za-z0-9])"),
    # GitLab: docs, "Token prefixes".
    _Form("gl(?:pat|rt|dt|ptt|ft)-", r"gl(?:pat|rt|dt|ptt|ft)-[A-Za-z0-9_-]{20,300}+(?![A-Za-z0-9])"),
    # Slack: docs, "Token types" and "Incoming webhooks".
    _Form("xox[abeoprs]-", r"xox[abeoprs]-[A-Za-z0-9-]{10,250}+(?![A-Za-z0-9])"),
    _Form(
        "hooks\\.slack", r"hooks\.slack\.com/services/(?P<value0>T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,32})"
    ),
    # Google: API keys, OAuth client secrets, access tokens (Cloud documentation on leaked keys).
    _Form("AIza", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _Form("GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])"),
    _Form("ya29\\.", r"ya29\.[A-Za-z0-9_-]{20,1000}+"),
    # Stripe: docs, "API keys".
    _Form("[rs]k_(?:live|test)_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}+(?![A-Za-z0-9])"),
    # OpenAI (every key holds the base64 of "OpenAI") and Anthropic.
    _Form("T3BlbkFJ", r"sk-(?=[A-Za-z0-9_-]{0,200}T3BlbkFJ)[A-Za-z0-9_-]{40,250}+"),
    _Form("sk-ant-", r"sk-ant-[A-Za-z0-9_-]{24,250}+"),
    # npm (blog, 2021), PyPI (docs, "API tokens"), Hugging Face, SendGrid, DigitalOcean, Telegram.
    _Form("npm_[A-Za-z0-9]", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _Form("pypi-Ag", r"pypi-Ag[A-Za-z0-9_-]{50,500}+"),
    _Form("hf_[A-Za-z]", r"hf_[A-Za-z]{34}(?![A-Za-z0-9])"),
    _Form("SG\\.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    _Form("do[op]_v1_", r"do[op]_v1_[a-f0-9]{64}(?![A-Za-z0-9])"),
    _Form("[0-9]:AA", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    # JSON Web Token (RFC 7519): two JSON objects and a signature in base64url.
    _Form("eyJ", r"eyJ[A-Za-z0-9_-]{8,2000}+\.eyJ[A-Za-z0-9_-]{8,4000}+\.[A-Za-z0-9_-]{16,1000}+"),
)
_KEYED: Final = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(form.pattern for form in _FORMS)})")
_KEYED_HINT: Final = re.compile("|".join(form.hint for form in _FORMS))

_PRIVATE_KEY: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_END_OF_KEY: Final = re.compile(r"-----END (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_KEY_REACH: Final = 16_384
"""Characters within which a private key must end; RSA of 16,384 bits takes 12,800."""
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/]{40}")

_URL: Final = re.compile(r"://([^\s/:@\"'<>]{1,64}+):([^\s/:@\"'<>]{3,128}+)@")

_NAME: Final = (
    r"(?i:passw(?:or)?d|passphrase|passwort|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|"
    r"private[_-]?key|encryption[_-]?key)"
)
_REST: Final = (
    r"(?:(?<=[pP])(?i:assw(?:or)?d|assphrase|asswort|wd|rivate[_-]?key)|(?<=[sS])(?i:ecret)|(?<=[tT])(?i:oken)|"
    r"(?<=[aA])(?i:pi[_-]?key|ccess[_-]?key|uth[_-]?key)|(?<=[eE])(?i:ncryption[_-]?key))"
)
"""`_NAME` after its first letter: a pattern that begins with a set of letters is searched several times faster."""
_OPERATOR: Final = r"(?::=|=>|={1,3}|:)"
_ASSIGNED: Final = re.compile(
    rf"[psatePSATE](?<!<.)(?<!public[kK]ey.)(?<!PublicKey.){_REST}[A-Za-z0-9_-]{{0,20}}+[\"'\]]{{0,2}}[ \t]{{0,16}}+"
    rf"{_OPERATOR}[ \t]{{0,16}}+(?:"
    r"(?:[bruBRU@$]{0,2}(?P<quote>[\"'`])(?P<quoted>[^\"'`\s<>]{8,256}+)(?P=quote))"
    r"|(?P<bare>[A-Za-z0-9+/=_.~!%-]{16,256}+)(?=[ \t]{0,8}(?:[\r\n;,#]|\Z)))"
)
_STAND_IN: Final = re.compile(
    r"(?i)example|sample|dummy|placeholder|change_?-?me|your|my_?-?(?:secret|token|pass|key)|x{4}|\*{3}|\.{3}|todo|fixme|"
    r"redacted|insert|replace|removed|undefined|test_?-?(?:key|token|secret|pass)|123456|abcdef|qwerty|foobar|"
    r"deadbeef|lorem|s[3e]cr[3e]t|(?:^|[_-])passw(?:or)?d"
)
_TEMPLATE: Final = re.compile(r"[${}<>%]\{|\{\{|\$[A-Za-z_(]|%[sd(]|\{[A-Za-z0-9_.]*\}|[()\[\]]|::|://|->|\\")
_WORDY: Final = re.compile(r"[A-Za-z]+[0-9]{0,4}(?:[_.:/-][A-Za-z]*[0-9]{0,4})*")
"""Words and short numbers joined by signs: a name, not a value."""
_DIGITS: Final = re.compile(r"[0-9]+")
"""A value without quotes and with one run of digits may well be a name: `testRSA2048PrivateKey`."""
_MIN_DISTINCT: Final = 6


def entropy(value: str) -> float:
    """Shannon entropy of the characters of `value`, in bits per character."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def is_stand_in(value: str) -> bool:
    """Whether `value` is an example, a template or a row of the same characters rather than a secret."""
    return len(set(value)) < _MIN_DISTINCT or _STAND_IN.search(value) is not None or _TEMPLATE.search(value) is not None


def looks_random(value: str) -> bool:
    """Whether `value` has letters and digits, is no name, and has nearly the entropy of a random value of its length.

    A random text of n characters from 62 has about log2(min(n, 62)) bits per character at most; 0.75 of that is required.
    """
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if not (letters and digits) or _WORDY.fullmatch(value) or is_stand_in(value):
        return False
    return entropy(value) >= 0.75 * math.log2(min(len(value), 62))


def _keyed(text: str) -> Iterator[Span]:
    for key in _KEYED.finditer(text):
        start, end = key.span("value0") if key["value0"] else key.span()
        if not is_stand_in(text[start:end]):
            yield Span(start, end, text[start:end])


def _private_keys(text: str) -> Iterator[Span]:
    floor = 0
    for begin in _PRIVATE_KEY.finditer(text):
        if begin.start() < floor:
            continue
        end = _END_OF_KEY.search(text, begin.end(), begin.end() + _KEY_REACH)
        if end is not None and _KEY_BODY.search(text, begin.end(), end.start()):
            yield Span(begin.start(), end.end(), text[begin.start() : end.end()])
            floor = end.end()


def _url_passwords(text: str) -> Iterator[Span]:
    for url in _URL.finditer(text):
        user, password = url.groups()
        stand_in = _STAND_IN.search(password) or _TEMPLATE.search(password) or _PLAIN_WORD.fullmatch(password)
        if not stand_in and user != password:
            yield Span(url.start(2), url.end(2), password)


_PLAIN_WORD: Final = re.compile(r"[^\W\d_]{0,40}|(?:pass|pw)[^\W\d_]{0,40}[0-9]{0,4}|[0-9]{1,5}", re.IGNORECASE)
"""Passwords in manuals, `https://user:password@host`; digits alone are a port."""


def _assigned(text: str) -> Iterator[Span]:
    for assigned in _ASSIGNED.finditer(text):
        group = "quoted" if assigned["quoted"] else "bare"
        named = group == "bare" and len(_DIGITS.findall(assigned[group])) < 2
        if looks_random(assigned[group]) and not named:
            yield Span(assigned.start(group), assigned.end(group), assigned[group])


def find_secrets(text: str) -> Iterator[Span]:
    """Secrets without overlaps: the earlier wins; from the same start, the longer. The identity is the text itself."""
    spans: list[Span] = []
    if _KEYED_HINT.search(text):
        spans.extend(_keyed(text))
    if "PRIVATE KEY" in text:
        spans.extend(_private_keys(text))
    if "://" in text:
        spans.extend(_url_passwords(text))
    spans.extend(_assigned(text))
    floor = 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= floor:
            yield span
            floor = span.end


SECRET: Final = Detector(
    "secret",
    "|".join(
        [
            *(form.hint for form in _FORMS),
            "PRIVATE KEY",
            r"://[^\s/:@]{1,64}:[^\s/:@]{3,128}@",
            rf"{_NAME}[A-Za-z0-9_-]{{0,20}}[\"'\]]{{0,2}}[ \t]{{0,16}}{_OPERATOR}[ \t]{{0,16}}[^\s]",
        ]
    ),
    find_secrets,
)
