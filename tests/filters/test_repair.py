"""Repair: the documents that Arrow lets pass are those that ftfy and all else would leave alone.

The oracle is the same work done naively: ftfy with the same options, and every other step, on every document.
"""

from __future__ import annotations

import pickle
import re
import sys
import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eyas.corpus import StageUnavailable
from eyas.corpus.documents import NOTE, documents
from eyas.filters.repair import Repair, for_re2
from eyas.pipelines.engine.quarantine import apply_mapper

ftfy = pytest.importorskip("ftfy")
badness = pytest.importorskip("ftfy.badness")


def mapped(stage: Repair, *texts: str) -> tuple[list[str], list[str | None]]:
    table = documents(list(range(len(texts))), list(texts), "s", [""] * len(texts))
    out = stage.map(table)
    assert out.drop_columns([NOTE, "text"]).equals(table.drop_columns(["text"]))
    return out.column("text").to_pylist(), out.column(NOTE).to_pylist()


def repaired(text: str, **options: Any) -> str:
    return mapped(Repair(**options), text)[0][0]


def naive(stage: Repair, text: str) -> str:
    """What the stage's options say, done to any text, one character class after the other."""
    if stage.terminal_escapes:
        text = re.sub("\x1b\\[[0-9;]*[A-Za-z]", "", text)
    if stage.controls:
        text = "".join("\n" if c in "\v\f" else c for c in text if c in "\t\n\r\v\f" or not (c < " " or c == "\x7f"))
    text = ftfy.fix_text(text, config=stage.config)
    if stage.controls:
        deprecated = "\u206a\u206b\u206c\u206d\u206e\u206f\ufff9\ufffa\ufffb\ufffc\ufeff"
        text = "".join(c for c in text if not ("\x80" <= c < "\xa0" or c in deprecated))
    if stage.line_breaks == "lf":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if stage.zero_width == "all":
        text = "".join(c for c in text if c not in "\u00ad\u2060\u180e\u200b\u200c\u200d")
    if stage.zero_width == "safe":
        text = "".join(c for c in text if c not in "\u00ad\u2060\u180e")
        text = "".join(
            c for i, c in enumerate(text) if c != "\u200b" or unspaced(text[i - 1 : i] + text[i + 1 : i + 2])
        )
    if stage.bidi != "keep":
        text = re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)
    if stage.bidi == "all":
        text = re.sub("[\u061c\u200e\u200f]", "", text)
    return unicodedata.normalize(stage.normal_form, text) if stage.normal_form else text


def unspaced(around: str) -> bool:
    return any("\u0e00" <= c <= "\u0eff" or "\u1000" <= c <= "\u109f" or "\u1780" <= c <= "\u17ff" for c in around)


STAGES = [
    Repair(),
    Repair(normal_form=None, zero_width="all", bidi="all", html_entities="auto"),
    Repair(html_entities="decode", controls=False, terminal_escapes=False, zero_width="keep", line_breaks="keep"),
    Repair(mojibake=False, html_entities="auto", normal_form="NFKC", bidi="keep"),
]
"""Made once: a stage's patterns take milliseconds to build."""

PIECES = st.sampled_from(
    [
        *(
            "é",
            "ü",
            "Ã",
            "Â",
            "Ã ",
            "Â ",
            " ",
            "\n",
            "\r",
            "\r\n",
            "\t",
            "\0",
            "\x0b",
            "\x0c",
            "\x1b[31m",
            "\x1b",
            "\x7f",
        ),
        *("\x80", "\x92", "\x9d", "\xa0", "\xad", "\u200b", "\u200c", "\u200d", "\u200e", "\u202e", "\u2066", "\u2028"),
        *(
            "\ufeff",
            "\ufffc",
            "\ufffd",
            "\ufffe",
            "\ufdd0",
            "ก",
            "ក",
            "&amp;",
            "&#233;",
            "&NTILDE;",
            "<b>",
            "e\u0301",
            "Å",
        ),
        *(
            "œ",
            "Œ",
            "°",
            "€",
            "™",
            "“",
            "”",
            "’",
            "â€™",
            "Ã©",
            "в",
            "Ђ",
            "√",
            "±",
            "│",
            "ﬁ",
            "²",
            "中",
            "日本",
            "ب",
            "\U0001f600",
        ),
        *("a", "Z", "0", "\\alpha", "$x^2$", "The café", "naïve", "Здравствуй"),
    ]
)
CODECS = ("latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1257", "mac_roman", "cp437", "iso8859-2")


@st.composite
def mojibake(draw: st.DrawFn) -> str:
    """UTF-8 read in another encoding, once or twice, with something else before and after."""
    text = draw(st.lists(PIECES, max_size=4).map("".join)) + draw(st.text(max_size=6))
    for codec in draw(st.lists(st.sampled_from(CODECS), min_size=1, max_size=2)):
        text = text.encode("utf-8", "ignore").decode(codec, draw(st.sampled_from(["ignore", "replace"])))
    return draw(PIECES) + text + draw(PIECES)


TEXTS = st.one_of(
    mojibake(), st.lists(PIECES, max_size=8).map("".join), st.text(st.characters(codec="utf-8"), max_size=20)
)


@settings(max_examples=250, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from(STAGES))
@example(["Ã perfect\nÃ bien", "a\nÂ b", "\x1b[0mÃ©", "Ã\0©", "œ"], STAGES[0])
@example(["&amp;amp;lt; Ã©", "a<b\n&amp;"], STAGES[1])
def test_no_document_is_passed_over_that_any_step_would_change(texts: list[str], stage: Repair) -> None:
    found, notes = mapped(stage, *texts)
    assert found == [naive(stage, text) for text in texts]
    assert [note is not None for note in notes] == [a != b for a, b in zip(texts, found, strict=True)]


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_pattern_for_re2_finds_at_least_what_ftfys_own_does(text: str) -> None:
    if badness.is_bad(text):
        assert Repair(normal_form=None, controls=False).suspects(pa.array([text], pa.large_string())).tolist() == [True]


def test_each_pair_of_bad_characters_is_seen() -> None:
    """Every pair of the 400 characters that ftfy's pattern is made of, which random text would hardly meet."""
    letters = sorted(set(re.sub(r"[\x00-\x7f]", "", badness.BADNESS_RE.pattern)) | {"a", "Z", " ", "\x80"})
    pairs = [a + b + c for a in letters for b in letters for c in ("x", " ")]
    bad = [bool(badness.BADNESS_RE.search(pair)) for pair in pairs]
    seen = Repair(normal_form=None, controls=False).suspects(pa.array(pairs, pa.large_string()))
    assert sum(bad) > 1000
    assert not [pair for pair, is_bad, is_seen in zip(pairs, bad, seen, strict=True) if is_bad and not is_seen]


def test_mojibake_of_real_sentences_is_undone() -> None:
    for sentence in (
        "Cela paraît élégant – très “chic”.",
        "Größe und Straße…",
        "Привет, мир! “Да”",
        "「日本語」です。",
    ):
        broken = sentence.encode().decode("latin-1")
        assert mapped(Repair(), broken) == ([sentence], ["mojibake"])
        assert mapped(Repair(), sentence) == ([sentence], [None])
    assert repaired("voilÃ\xa0 l’ami doesnâ€™t") == "voilà l’ami doesn’t"


def test_code_and_latex_are_left_as_they_are() -> None:
    texts = [
        'text = text.replace("&lt;", "<").replace("&amp;", "&")\n\tprint("é à ñ", \'\\x1b[0m\')\n',
        "\\begin{align}\n  x^2 &= \\frac{1}{2} \\\\ % ≠ ≤ ∑ ∞ x²\n\\end{align} Poincaré, Erdős, “naïve” ﬁ ＡＢ",
        "│ name │ née │\n├──────┤ ± 3 µm ½ … ‘quoted’ ™ ® ©\n",
    ]
    assert mapped(Repair(), *texts) == (texts, [None] * 3)
    assert repaired('a = "&amp;"', html_entities="auto") == 'a = "&"'


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ("\x1b[1;31mred\x1b[0m", "red", "terminal escapes"),
        ("a\0b\x08c\x7f\ttab", "abc\ttab", "controls"),
        ("page\x0cpage\x0bline", "page\npage\nline", "controls"),
        ("\ufeffbegin \ufffcend", "begin end", "format characters"),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd", "line breaks"),
        ("Donau\xaddampf\u200bschiff\u2060", "Donaudampfschiff", "zero width"),
        ("e\u0301", "é", "normal form"),
        ("if \u202eadmin\u2066", "if admin", "bidi"),
        ("\0e\u0301\r", "é\n", "controls, line breaks, normal form"),
        ("lost \ufffd here", "lost \ufffd here", None),
        ("نمی\u200cخواهم \u200fא\u200e 👩\u200d💻", "نمی\u200cخواهم \u200fא\u200e 👩\u200d💻", None),
        ("ក\u200bខ and ไทย\u200bไทย", "ក\u200bខ and ไทย\u200bไทย", None),
        ("x² ﬁ ａ", "x² ﬁ ａ", None),
    ],
)
def test_what_is_done_and_told(before: str, after: str, note: str | None) -> None:
    assert mapped(Repair(), before) == ([after], [note])


def test_everything_can_be_turned_off() -> None:
    off = Repair(
        mojibake=False,
        terminal_escapes=False,
        controls=False,
        line_breaks="keep",
        zero_width="keep",
        bidi="keep",
        normal_form=None,
    )
    text = "Ã© \x1b[0m\0\r\n\u200b\u202ee\u0301\ufeff&amp;"
    assert mapped(off, text, "") == ([text, ""], [None, None])
    assert off.fingerprint()[0] is None and Repair().fingerprint()[0]


def test_ftfys_options_are_those_of_datatrove_where_both_have_them() -> None:
    formatters = pytest.importorskip("datatrove.pipeline.formatters")
    theirs, ours = formatters.FTFYFormatter().config, Repair().config
    differ = {name for name in theirs._fields if getattr(theirs, name) != getattr(ours, name)}
    # Done here over the whole column, moot in valid UTF-8, or decided otherwise for the sake of source code.
    assert differ == {"unescape_html", "remove_terminal_escapes", "remove_control_chars", "fix_surrogates"}


def test_each_document_by_itself_in_any_chunks() -> None:
    texts = ["Ã©", "", "plain", "\0", "x" * 300_000 + "Ã©", "\r\n", "日本", "e\u0301" * 1000]
    stage = Repair()
    found = mapped(stage, *texts)
    assert [mapped(stage, text)[0][0] for text in texts] == found[0]
    whole = pa.concat_tables([documents([i], [text], "s", [""]) for i, text in enumerate(texts)])
    assert stage.map(whole.slice(1, 6)).column("text").to_pylist() == found[0][1:7]
    assert stage.map(whole.slice(0, 0)).num_rows == 0
    assert pickle.loads(pickle.dumps(stage)) == stage
    mapped_table, ledger = apply_mapper("repair", stage, whole)
    assert NOTE not in mapped_table.column_names
    assert ledger.column("detail").to_pylist()[:4] == ["mojibake", None, None, "controls"]


def test_without_ftfy_the_run_stops_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ftfy", None)
    with pytest.raises(StageUnavailable, match="`pip install ftfy`"):
        Repair().prepare()
    Repair(mojibake=False).prepare()


def test_a_pattern_that_re2_cannot_take_is_refused() -> None:
    assert for_re2("a b # words\n | [x #] \\s ^c") == "ab|[x #][\\s\\x{80}-\\x{10ffff}]c"
    with pytest.raises(ValueError, match="pattern that RE2 cannot read"):
        for_re2("a(?=b)")
