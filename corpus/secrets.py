"""Secrets in addresses: a URL with a password or a signed query is refused before anything prints or stores it.

Keys belong in the environment: recipes are copied into run folders, and addresses stand in manifests, logs and reports.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from eyas.errors import InputError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_KEYS = re.compile(
    r"(?i)(^|[-_])(sig|signature|token|key|secret|password|passwd|pwd|credential|auth|apikey)$|api_?key$"
)
"""Names of query parameters whose values let somebody in: those of S3, Azure and Google's signed addresses among them."""


def holds_secret(text: str) -> bool:
    """Whether a text is a URL with a password, or with a query that lets somebody in. Local paths never are."""
    if not _URL.match(text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return "@" in text
    user, at, _ = parts.netloc.rpartition("@")
    if at and ":" in user:
        return True
    return any(value and _KEYS.search(name) for name, value in parse_qsl(parts.query, keep_blank_values=True))


def masked(text: str) -> str:
    """A URL without its user, password and query, for messages."""
    scheme, _, rest = text.partition("://")
    place = rest.partition("?")[0]
    head, slash, tail = place.partition("/")
    return f"{scheme}://{head.rpartition('@')[2]}{slash}{tail}"


def refuse_secret(text: str) -> None:
    """InputError if a text is an address with a secret."""
    if holds_secret(text):
        raise InputError(
            f"the address {masked(text)} was given with a password, key or signature, which would reach manifests, logs"
            f" and reports. Write it without, and put keys into the environment: AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY for s3://, OPENAI_API_KEY for endpoints, FSSPEC_<PROTOCOL>_PASSWORD for others"
        )
