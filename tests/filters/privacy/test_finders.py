"""What each finder takes and leaves: against datatrove, `ipaddress` and python-stdnum, and cases met in real text."""

from __future__ import annotations

import ipaddress
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn

from eyas.filters.privacy.accounts import find_cards, find_ibans, is_card
from eyas.filters.privacy.email import find_emails
from eyas.filters.privacy.ip import find_ips
from eyas.filters.privacy.phone import find_phones
from eyas.filters.privacy.secrets import entropy, find_secrets
from eyas.filters.privacy.spans import Finder

pytest.importorskip("datatrove")
from datatrove.pipeline.formatters import PIIFormatter

DATATROVE = PIIFormatter()
label = st.sampled_from(["joe", "a0", "xn--a-b", "mail", "j", "list-owner", "7up", "ann-marie"])
address = st.builds(
    "{}{}@{}.{}".format, label, st.sampled_from(["", ".ann", "_b", "+tag", "-x", "7"]), label,
    st.sampled_from(["org", "co.uk", "de", "museum", "info"]),
)  # fmt: skip
around = st.sampled_from(["", " ", "<", ">", "(", ")", ", ", ": ", "mailto:", "\n", "'", '"', "日本", "»", ";"])


def found(finder: Finder, text: str) -> list[str]:
    spans = list(finder(text))
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))
    return [text[span.start : span.end] for span in spans]


def ips(text: str, private: bool = False) -> list[str]:
    return found(lambda text: find_ips(text, private), text)


def phones(text: str, *regions: str) -> list[str]:
    return found(lambda text: find_phones(text, regions), text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(around, address, around), max_size=5))
def test_every_address_that_datatrove_finds_is_found(parts: list[tuple[str, str, str]]) -> None:
    text = " ".join("".join(part) for part in parts)
    ours = {i for span in find_emails(text) for i in range(span.start, span.end)}
    for theirs in DATATROVE.emails_replacer.regex.finditer(text):
        assert theirs.start() + theirs.group().index("@") in ours, theirs.group()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("joe@mail.org.", ["joe@mail.org"]),
        ("'o'neil@mail.org'", ["o'neil@mail.org"]),
        ("联系joe@mail.org或者", ["joe@mail.org"]),
        ("jörg@müller.de почта@пример.рф", ["jörg@müller.de", "почта@пример.рф"]),
        ("write to joe@mail.org.Thanks", ["joe@mail.org"]),
        ("joe (at) mail (dot) org, ann AT mail DOT org, id=joe%40mail%2Eorg", None),
        ("sysstat <at> orange.fr", ["sysstat <at> orange.fr"]),
        ("list-bounces+joe=mail.org@list.org", ["list-bounces+joe=mail.org@list.org"]),
        ("--email=joe.doe@mail.org", ["joe.doe@mail.org"]),
        ("<00aa$1c01a8c0@host.org>", ["00aa$1c01a8c0@host.org"]),
        ("joe@[194.125.145.45]", ["joe@[194.125.145.45]"]),
        ("return@mail.org", ["return@mail.org"]),
        (r"\\ann@mail.org \njoe@mail.org \verb@beta.init", ["ann@mail.org", "joe@mail.org"]),
        ("E<lt>joe@mail.orgE<gt> ver@counter.sty", ["joe@mail.org"]),
        # What datatrove masks, and we leave: no one reads mail there.
        ("user@example.com a@b.example.org x@host.test", []),
        ("pkg@4.17.21 tool@1.2.3.4 icon@2x.png getty@tty1.service", []),
        ("git@github.com:a/b.git this@Outer.field $user@host.org W@x.view(3) %s@mail.org", []),
        ("https://joe:hidden@host.org", []),
        ("user@localhost @decorator a@b meet me AT the dot", []),
        ("x" * 65 + "@mail.org", []),
    ],
)
def test_email_cases(text: str, wanted: list[str] | None) -> None:
    if wanted is None:
        assert [span.identity for span in find_emails(text)] == ["joe@mail.org", "ann@mail.org", "joe@mail.org"]
    else:
        assert found(find_emails, text) == wanted


@settings(max_examples=300, deadline=None)
@given(st.ip_addresses())
def test_ips_are_those_of_ipaddress(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = f"from [{ip}] by"
    public = ip.is_global and not ip.is_multicast
    if ip.version == 4:
        assert ips(text) == ([str(ip)] if public and max(ip.packed) >= 32 else [])
    elif ip in ipaddress.ip_network("2000::/3") and not str(ip).endswith("::"):
        assert ips(text) == ([str(ip)] if public and sum(map(bool, str(ip).split(":"))) > 2 else [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://66.231.133.63/index.html", ["66.231.133.63"]),
        ("ping 8.8.4.4, 8.8.8.8:53", ["8.8.4.4", "8.8.8.8"]),
        ("version 194.1.2.3 and v1.2.3.4 and foo-194.1.2.3.tar.gz and libx.so.194.1.2.3", []),
        ("\n55.2.2.1. Multiple Statements\n1.2.3.4 of 1.2.3.4.5", []),
        ("256.1.1.1 01.2.3.99 127.0.0.1 255.255.255.0 224.0.0.99 10.0.0.99 192.168.1.99", []),
        ("34.1.168.192.in-addr.arpa 45.145.125.194.in-addr.arpa", ["45.145.125.194"]),
        ("net 2002::/16 and 2001:4:112::/48; std::a::b; x[2000::2]; 2016::", []),
        ("at 2603:400a:ffff:bb8::801f:3e: reply", ["2603:400a:ffff:bb8::801f:3e"]),
    ],
)
def test_ip_cases(text: str, wanted: list[str]) -> None:
    assert ips(text) == wanted


def test_private_addresses_are_an_option() -> None:
    text = "10.0.0.99 192.168.1.99 127.0.0.1 255.255.255.0 fe80::1:2 fd00::1:2 ::1"
    assert ips(text) == []
    assert ips(text, private=True) == ["10.0.0.99", "192.168.1.99", "fe80::1:2", "fd00::1:2"]


IBANS = ("DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947")


@pytest.mark.parametrize("number", IBANS)
def test_ibans_are_those_of_stdnum(number: str) -> None:
    for spelling in (number, iban.format(number), iban.format(number, "-")):
        assert found(find_ibans, f"An {spelling}, BIC") == [spelling]
        assert found(find_ibans, f"An {spelling} AND MORE TEXT") == [spelling]
    rng = random.Random(7)
    for _ in range(200):
        changed = list(number)
        changed[rng.randrange(2, len(number))] = rng.choice("0123456789")
        text = "".join(changed)
        assert found(find_ibans, text) == ([text] if iban.is_valid(text) else [])
    assert found(find_ibans, f"x{number} {number}0 {number.lower()}") == []


def test_cards_have_their_networks_form() -> None:
    rng = random.Random(7)
    for first, length in (("4", 16), ("53", 16), ("2300", 16), ("6011", 16), ("37", 15), ("36", 14), ("3530", 16)):
        for _ in range(50):
            body = first + "".join(rng.choice("0123456789") for _ in range(length - 1 - len(first)))
            card = body + luhn.calc_check_digit(body)
            assert is_card(card) and not is_card(body + str((int(card[-1]) + 1) % 10))
            assert found(find_cards, f"Visa: {card}") == [card]
            assert found(find_cards, f"id = {card}") == []
            if length == 16:
                spelled = " ".join(card[i : i + 4] for i in range(0, 16, 4))
                assert found(find_cards, f"pay {spelled} 12/29") == [spelled]
                assert found(find_cards, f"{spelled}  4539 1488 0343 6467") == []
    assert found(find_cards, "card 4111111111111111, 4242 4242 4242 4242, card 0.4539148803436467") == []


@pytest.mark.parametrize(
    ("text", "regions", "wanted"),
    [
        ("Tel +44 (0)20 7499 2264, fax: +353-1-6204901 x12", (), ["+44 (0)20 7499 2264", "+353-1-6204901"]),
        ("+353 1 8064276 2300", (), ["+353 1 8064276"]),
        ("i+4930901820 = +33554432 and +40.712776123 and +658981/41472*u", (), []),
        ("@@ -1,2 +1,2 @@\n+4930901820\n", (), []),
        ("call 415-555-2671", (), []),
        ("call 415-555-2671 or (415) 555-2672", ("US",), ["415-555-2671", "(415) 555-2672"]),
        ("Tel. 089/12 34 56-0, marie 05-11-22-33-44", ("DE", "FR"), ["089/12 34 56-0", "05-11-22-33-44"]),
        ("0.415555 2022-02-22 20:56 Boston, MA 02111-1307 [0.75 1 0.75] 0240–0377 (0241–0376)", ("US", "DE"), []),
        ("ISBN 0-596-00478-8, 212.94.201.10, 4155552671, 01/13160000.xhp", ("US", "DE"), []),
    ],
)
def test_phone_cases(text: str, regions: tuple[str, ...], wanted: list[str]) -> None:
    assert phones(text, *regions) == wanted


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
    assert found(find_secrets, f"key: {secret}\n") == [secret]
    assert found(find_secrets, f"x{secret}") == ([secret] if secret == PEM else [])


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
    assert found(find_secrets, text) == wanted


def test_entropy_is_that_of_shannon() -> None:
    assert entropy("aaaa") == 0 and entropy("abab") == 1 and entropy("abcdefgh") == 3
