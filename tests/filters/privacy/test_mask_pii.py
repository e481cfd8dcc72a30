"""MaskPII as a stage: placeholders depend on the document alone, masking twice changes nothing, and it stays linear."""

from __future__ import annotations

import pickle
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyas.corpus.documents import NOTE, documents
from eyas.filters.privacy import MaskPII
from eyas.filters.privacy.spans import KINDS, touches_placeholder
from eyas.pipelines.recipe.registry import stage_class

PIECES = (
    "joe@mail.org", "JOE@mail.org", "ann [at] mail.org", "joe%40mail.org", "@", "a@b", "x@b.c.dd", "user@example.com",
    "8.8.8.100", "203.0.113.9", "1.2.3.4", "version 194.1.2.3", "2a00:1450:4001:81b::200e", "::", "10.0.0.1",
    "+49 30 901820", "+1 512 374 0500", "tel 030 901820", "(415) 555-2671", "4539 1488 0343 6467", "card 4539148803436467",
    "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", 'password = "hU7s9Kq2LmX4"', "AKIAJ7Q2ZK5XN3RTM4WP",
    "https://joe:Zk3-9xQ@host.org/", "<EMAIL_1>", "<EMAIL>", "<IP_7>", "<SECRET>", "secret", ": ", "=", '"', "<", ">",
    " ", "\n", ".", "/", "-", "+", "7", "é", "日本", "\u202e", "\x00", "🦅", "\u0661", "card", "tel",
)  # fmt: skip
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
STAGES = (
    MaskPII(),
    MaskPII(placeholder="plain"),
    MaskPII(regions=("US", "DE"), private_ips=True),
    MaskPII(regions=("US", "DE"), placeholder="plain"),
)
stages = st.sampled_from(STAGES)
PLACEHOLDER = re.compile(r"<(?:EMAIL|IP|PHONE|IBAN|CARD|SECRET)(?:_[0-9]+)?>")


def masked(stage: MaskPII, *given_texts: str) -> tuple[list[str], list[str | None]]:
    rows = len(given_texts)
    docs = documents(list(range(rows)), list(given_texts), "s", [""] * rows)
    out = stage.map(docs)
    assert out.schema.names == [*docs.schema.names, NOTE]
    assert out.drop_columns([NOTE]).schema == docs.schema
    assert out.column("id") == docs.column("id")
    return out.column("text").to_pylist(), out.column(NOTE).to_pylist()


def one(text: str, **options: object) -> str:
    return masked(MaskPII(**options), text)[0][0]


def test_the_same_address_is_the_same_placeholder_and_the_note_counts() -> None:
    text = "From joe@mail.org to ann@mail.org, cc Joe@Mail.org, from 194.125.145.45 and +353 1 806 4276."
    assert masked(MaskPII(), text, "Nothing here.") == (
        ["From <EMAIL_1> to <EMAIL_2>, cc <EMAIL_1>, from <IP_1> and <PHONE_1>.", "Nothing here."],
        ["3 email, 1 ip, 1 phone", None],
    )
    assert one(text, placeholder="plain") == "From <EMAIL> to <EMAIL>, cc <EMAIL>, from <IP> and <PHONE>."


def test_two_spellings_of_one_thing_share_a_number() -> None:
    assert one("joe@mail.org joe [at] mail [dot] org joe%40mail.org") == "<EMAIL_1> <EMAIL_1> <EMAIL_1>"
    assert one("+353 1 806 4276, +353-1-8064276") == "<PHONE_1>, <PHONE_1>"
    assert one("2a00:1450:4001:81b::200e 2A00:1450:4001:081b:0::200E") == "<IP_1> <IP_1>"
    assert one("DE89370400440532013000 = DE89 3704 0044 0532 0130 00") == "<IBAN_1> = <IBAN_1>"


def test_kinds_can_be_left_out() -> None:
    text = "joe@mail.org 194.125.145.45"
    assert one(text, kinds=["ip"]) == "joe@mail.org <IP_1>"
    assert one(text, kinds=["email"]) == "<EMAIL_1> 194.125.145.45"
    assert one(text, kinds=["card", "phone"]) == text


def test_numbers_of_placeholders_that_are_there_already_are_not_given_out_again() -> None:
    assert one("<EMAIL_3> wrote to joe@mail.org") == "<EMAIL_3> wrote to <EMAIL_4>"


def test_an_xml_tag_is_not_taken_for_a_placeholder() -> None:
    assert one("<EMAIL>joe@mail.org</EMAIL>") == "<EMAIL><EMAIL_1></EMAIL>"
    assert touches_placeholder("<EMAIL_1>x", 9, 10) and touches_placeholder("x<IP>", 0, 1)
    assert not touches_placeholder("<EMAIL_0>x", 9, 10) and not touches_placeholder("<b>x<b>", 3, 4)


def test_where_kinds_overlap_the_earlier_kind_wins() -> None:
    assert KINDS == ("secret", "email", "ip", "iban", "card", "phone")
    assert one("https://joe:Zk3-9xQ@host.org/") == "https://joe:<SECRET_1>@host.org/"
    assert one("joe@194.125.145.45") == "<EMAIL_1>"
    assert one("joe@[194.125.145.45]") == "<EMAIL_1>"


def test_options_that_cannot_work_are_refused_in_words() -> None:
    for options, words in (
        ({"regions": ["us"]}, "ISO 3166"),
        ({"regions": ["US"], "kinds": ["email"]}, "add phone to kinds"),
        ({"private_ips": True, "kinds": ["email"]}, "add ip to kinds"),
        ({"kinds": []}, "nothing would be masked"),
        ({"kinds": ["mail"]}, "Input should be"),
    ):
        with pytest.raises(ValidationError, match=words):
            MaskPII(**options)


def test_it_is_found_by_name_and_travels_to_workers() -> None:
    assert stage_class("mask_pii") is MaskPII
    stage = MaskPII(kinds=["phone", "email"], regions=["US"])
    assert stage.kinds == ("email", "phone") and pickle.loads(pickle.dumps(stage)) == stage


def test_no_documents_and_chunked_documents() -> None:
    assert masked(MaskPII()) == ([], [])
    docs = documents([1, 2], ["joe@mail.org", "x"], "s", ["", ""])
    out = MaskPII().map(pa.concat_tables([docs, docs]))
    assert out.column("text").to_pylist() == ["<EMAIL_1>", "x"] * 2


@settings(max_examples=150, deadline=None)
@given(texts, stages)
def test_masking_twice_changes_nothing_more(text: str, stage: MaskPII) -> None:
    (once,), _ = masked(stage, text)
    assert masked(stage, once) == ([once], [None])


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, max_size=6), st.randoms(use_true_random=False), stages)
def test_the_order_of_documents_only_orders_the_output(batch: list[str], random: object, stage: MaskPII) -> None:
    order = list(range(len(batch)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight, shuffled = masked(stage, *batch), masked(stage, *(batch[i] for i in order))
    assert shuffled == ([straight[0][i] for i in order], [straight[1][i] for i in order])
    assert straight[0] == [masked(stage, text)[0][0] for text in batch]


@settings(max_examples=150, deadline=None)
@given(texts, stages)
def test_text_outside_placeholders_is_the_text_of_the_document_in_its_order(text: str, stage: MaskPII) -> None:
    (out,), (note,) = masked(stage, text)
    assert (note is None) == (out == text)
    at = 0
    for piece in PLACEHOLDER.split(out):
        at = text.index(piece, at) + len(piece)
    assert re.sub(r"[0-9]+ (?:secret|email|ip|iban|card|phone)(?:, |$)", "", note or "") == ""


@settings(max_examples=150, deadline=None)
@given(texts, stages)
def test_the_hint_of_a_detector_is_found_wherever_it_finds_something(text: str, stage: MaskPII) -> None:
    """The hints are RE2 over the column, the finders Python over the text: none may hide what the other would find."""
    (by_column,), _ = masked(stage, text)
    assert stage.mask(text)[0] == by_column


UNITS = (
    "a", "@", "1", "+", ":", ".", " ", "a@", "@a", "a.", "a@b.", "1.", "1 ", "+1 ", "2001:", "::", "DE12", "AA11 ",
    "eyJ", "eyJa.", "-----BEGIN PRIVATE KEY-----", "secret", 'token="', "://a:", "%40", "(at)", " AT ", "4111 ", "(0",
    "<EMAIL_1>", "tel 0",
)  # fmt: skip


@pytest.mark.timeout(60)
def test_long_texts_of_one_thing_end() -> None:
    """A pattern that backtracks would need hours for these, not the 60 s of the limit."""
    stage = MaskPII(regions=("US", "DE"), private_ips=True)
    rows = [(unit * (200_000 // len(unit) + 1))[:200_000] for unit in UNITS] + ["@" * 2_000_000, "1" * 2_000_000]
    out, _ = masked(stage, *rows)
    assert out[0] == rows[0] and out[-2:] == rows[-2:]
