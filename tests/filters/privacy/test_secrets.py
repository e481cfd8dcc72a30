"""Secrets: forms of keys, assigned values, and stand-ins that are no secrets."""

from __future__ import annotations

import re

import pytest
from pii_matches import matches

from eyas.filters.privacy.secrets import entropy, find_secrets

BODY = "q7Zk3Xw9Lm2Rt5Vb8Nc1Hd4Fg6Js0PyAeUiOoQ2Wz"


PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7q3kZ" * 3 + "\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "J7Q2ZK5XN3RTM4WP", "ghp_" + BODY[:36], "xoxb-" + "4827163950-" + BODY[:24], "AIza" + BODY[:35],
        "sk_live_" + BODY[:24], "sk-proj-" + BODY[:20] + "T3BlbkFJ" + BODY[:20], "glpat-" + BODY[:20],
        "hf_" + re.sub("[0-9]", "k", BODY[:34]),
        f"eyJ{BODY[:20]}.eyJ{BODY[:30]}.{BODY[:40]}", PEM,
    ],
)  # fmt: skip
def test_keys_with_a_form_are_found(secret: str) -> None:
    assert matches(find_secrets, f"key: {secret}\n") == [secret]
    assert matches(find_secrets, f"x{secret}") == ([secret] if secret == PEM else [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('password = "hU7s9Kq2LmX4"', ["hU7s9Kq2LmX4"]),
        ("'api_key': 'a8Fz0Qm3Lx7T',", ["a8Fz0Qm3Lx7T"]),
        ("SECRET_TOKEN=9fQ2x7Lk3mZ8pR4t\n", ["9fQ2x7Lk3mZ8pR4t"]),
        ("postgres://app:Zk3-9xQ@db.host.org/x", ["Zk3-9xQ"]),
        ("AKIAIOSFODNN7EXAMPLE ghp_" + "x" * 36, []),
        ('password = "changeme" token = "${TOKEN}" secret = None api_key = "xxxxxxxx1" pwd = ""', []),
        ('token = "access_token_expired" password: getPassword(user1) secret = config["a1"]', []),
        ("PrivateKey = testRSA2048PrivateKey\n publicKeyToken='6595b64144ccf1df'", []),
        ("password_encryption = 'scram-sha-256' http://user:password@host.org http://host:8080/a@b", []),
        ('token = "<TOKEN-1a2b3c4d>" password="%(pass1word)s"', []),
    ],
)
def test_secret_cases(text: str, wanted: list[str]) -> None:
    assert matches(find_secrets, text) == wanted


def test_entropy_is_that_of_shannon() -> None:
    assert entropy("aaaa") == 0 and entropy("abab") == 1 and entropy("abcdefgh") == 3
