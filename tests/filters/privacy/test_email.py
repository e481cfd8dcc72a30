"""E-mail addresses: against datatrove, and cases met in real text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pii_matches import matches

from eyas.filters.privacy.email import find_emails

pytest.importorskip("datatrove")
from datatrove.pipeline.formatters import PIIFormatter

DATATROVE = PIIFormatter()


label = st.sampled_from(["joe", "a0", "xn--a-b", "mail", "j", "list-owner", "7up", "ann-marie"])


address = st.builds(
    "{}{}@{}.{}".format, label, st.sampled_from(["", ".ann", "_b", "+tag", "-x", "7"]), label,
    st.sampled_from(["org", "co.uk", "de", "museum", "info"]),
)  # fmt: skip


around = st.sampled_from(["", " ", "<", ">", "(", ")", ", ", ": ", "mailto:", "\n", "'", '"', "日本", "»", ";"])


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
        assert matches(find_emails, text) == wanted
