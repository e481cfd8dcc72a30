"""GopherQuality against datatrove's GopherQualityFilter, both given our words: decisions and reasons are equal, always.

datatrove asks Python what a letter is, we ask the `tokenizers` engine: letters that this Python does not know yet
(9,272 with Python 3.11) are left out of the texts, because datatrove's own answer changes with Python's version there.
"""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datatrove_oracle import OURS, RAISED, UNKNOWN
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eyas.filters.heuristics import GopherQuality

pytest.importorskip("datatrove")
from datatrove.data import Document
from datatrove.pipeline.filters import GopherQualityFilter

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
REASONS = {
    "gopher_short_doc",
    "gopher_long_doc",
    "gopher_below_avg_threshold",
    "gopher_above_avg_threshold",
    "gopher_too_many_hashes",
    "gopher_too_many_ellipsis",
    "gopher_too_many_bullets",
    "gopher_too_many_end_ellipsis",
    "gopher_below_alpha_threshold",
    "gopher_enough_stop_words",
}


def theirs(texts: Sequence[str], **options: Any) -> list[str | None]:
    judge = GopherQualityFilter(language=OURS, **options)
    reasons: list[str | None] = []
    for text in texts:
        try:
            result = judge.filter(Document(text=text, id=""))
        except ZeroDivisionError:
            result = (False, RAISED)
        reasons.append(None if result is True else result[1])
    return reasons


def ours(texts: Sequence[str], **options: Any) -> list[str | None]:
    verdict = GopherQuality(**options).judge(pa.table({"text": pa.array(texts, pa.large_string())}))
    reasons: list[str | None] = verdict.reason.to_pylist()
    assert verdict.kept.to_pylist() == [reason is None for reason in reasons]
    return reasons


@lru_cache(maxsize=1)
def real_texts() -> list[str]:
    """A few hundred files of the Python environment, at most 20,000 characters of each."""
    folders = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")}
    paths = sorted(
        path for folder in folders for ending in ("py", "rst", "md", "txt") for path in folder.rglob(f"*.{ending}")
    )
    kinds = {ending: [path for path in paths if path.suffix == ending] for ending in (".py", ".rst", ".md", ".txt")}
    chosen = [path for found in kinds.values() for path in random.Random(7).sample(found, min(len(found), 150))]
    texts = [path.read_bytes().decode("utf-8", "ignore")[:20_000].translate(UNKNOWN) for path in chosen]
    assert len(texts) > 200
    return texts


def every_line(prefix: str = "", suffix: str = "", ends: str = "\n") -> Callable[[str], str]:
    return lambda text: ends.join(prefix + line + suffix for line in text.splitlines())


def without_stop_words(text: str) -> str:
    return " ".join(word for word in text.split() if word not in GopherQuality().stop_words)


MUTATIONS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "letters only": lambda text: "".join(c if c.isalpha() or c.isspace() else " " for c in text),
    "bullets": every_line(prefix=" - "),
    "round bullets": every_line(prefix="\u3000•", ends="\x1c"),
    "ellipses": every_line(suffix="... \t", ends="\r\n"),
    "one-character ellipses": every_line(suffix="…", ends="\u2029"),
    "hashes": lambda text: text[:5000].replace(" ", " # "),
    "dots": lambda text: text[:5000].replace(" ", " .... "),
    "short words": lambda text: " ".join(word[:2] for word in text.split()),
    "glued": lambda text: text.replace(" ", "e"),
    "numbers": lambda text: text.replace("e", " 1 "),
    "no stop words": without_stop_words,
    "capitals": str.upper,
    "about fifty words": lambda text: " ".join(text.split()[:45]),
}
# Real text seldom fails a late rule only: with the early ones off, the late ones are asked.
PROSE_ONLY: dict[str, Any] = {"max_symbol_word_ratio": None, "max_non_alpha_words_ratio": None}


@pytest.mark.parametrize("options", [{}, PROSE_ONLY], ids=["defaults", "two rules off"])
def test_equal_on_real_text(options: dict[str, Any]) -> None:
    reached: set[str | None] = set()
    for number, mutate in enumerate(MUTATIONS.values()):
        texts = [mutate(text) for text in (real_texts() if number < 2 else real_texts()[number::6])]
        expected = theirs(texts, **options)
        assert ours(texts, **options) == expected
        reached |= set(expected)
    if not options:
        many = ["the word and " * 33_333 + last for last in ("of it", "\n# of")]
        assert ours(many) == theirs(many) == ["gopher_long_doc", None]
        assert reached | {"gopher_long_doc"} == REASONS | {None}


FRAGMENTS = [
    *"aZéß中カ한ไ0٣½_'’·.,…•-#!€\u0301\u200d\xad\u200b\0\x1c\x1f\x85\u2028\u3000 \t\n\r", "\r\n", "...",
    "... ", "\n- ", "\n\x1f•",
    "the", "be", " to ", " and ", "The", "\U0010ffff", "𝒳", "👩\u200d💻", "don't", " 3.14 ", "word ", "الكلمة ",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=30).map("".join)
RATIOS = st.sampled_from([None, 0.05, 0.1, 0.2, 1 / 3, 0.5, 0.9, 1.0])
OPTIONS = st.fixed_dictionaries(
    {
        "min_doc_words": st.none() | st.integers(0, 5),
        "max_doc_words": st.none() | st.integers(5, 20),
        "min_avg_word_length": st.sampled_from([None, 0, 1, 1.5]),
        "max_avg_word_length": st.sampled_from([None, 2.5, 3, 10]),
        "max_symbol_word_ratio": RATIOS,
        "max_bullet_lines_ratio": RATIOS,
        "max_ellipsis_lines_ratio": RATIOS,
        "max_non_alpha_words_ratio": RATIOS,
        "min_stop_words": st.none() | st.integers(0, 2),
        "stop_words": st.sampled_from([("the", "be", "to"), ("中", "…", "a"), ("don't", "3.14", "#")]),
    }
)


def test_equal_on_hostile_text_with_any_options() -> None:
    reached: set[str | None] = set()

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(st.lists(HOSTILE, min_size=1, max_size=4), OPTIONS)
    def check(texts: list[str], options: dict[str, Any]) -> None:
        texts = [text.translate(UNKNOWN) for text in texts]
        expected = theirs(texts, **options)
        found = ours(texts, **options)
        for text, their, our in zip(texts, expected, found, strict=True):
            assert our == their or (their == RAISED and not OURS.word_tokenize(text))
        reached.update(found)

    check()
    assert reached == REASONS | {None}


LINE = "the wood of every tree and leaf grows here"
NINE = "nine words of text and then the last one"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("the wood of trees " * 12 + "the tree", None),
        ("the wood of trees " * 12 + "tree - ! …", "gopher_short_doc"),
        ("the and " * 25, None),
        ("the and " * 24 + "the of", "gopher_below_avg_threshold"),
        ("the and " + "abcdefghijk " * 14 + "abcdefghij " * 34, None),
        ("the and " + "abcdefghijk " * 15 + "abcdefghij " * 33, "gopher_above_avg_threshold"),
        ((NINE + " # ") * 10, None),
        ((NINE + " # ") * 10 + "#", "gopher_too_many_hashes"),
        (("… " + NINE + " ") * 10, None),
        ("..." + ("… " + NINE + " ") * 11, "gopher_too_many_ellipsis"),
        ("…" + ("… " + NINE + " ") * 10, "gopher_too_many_ellipsis"),
        (f"- {LINE}\n" * 5 + f" • {LINE}\n" * 4 + LINE, None),
        (f"- {LINE}\n" * 10, "gopher_too_many_bullets"),
        (f"{LINE}...\n" * 3 + f"{LINE} and {LINE}\n" * 7, None),
        (f"{LINE}... \n" * 3 + f"{LINE} and {LINE}…\n" + f"{LINE} and {LINE}\n" * 6, "gopher_too_many_end_ellipsis"),
        ("the wood and trees 1234 " * 20, None),
        ("the wood and trees 1234 " * 20 + "1234", "gopher_below_alpha_threshold"),
        ("The wood of trees " * 20, "gopher_enough_stop_words"),
        ("the wood of trees " * 20, None),
    ],
)
def test_a_threshold_itself_passes(text: str, reason: str | None) -> None:
    assert ours([text]) == theirs([text]) == [reason]


def test_verdicts_hold_scores_and_thresholds() -> None:
    table = pa.table({"text": pa.array(["", "the wood of trees " * 20], pa.large_string())})
    verdict = GopherQuality(min_doc_words=81).judge(table)
    assert verdict.score.to_pylist() == [0.0, 80.0]
    assert verdict.threshold.to_pylist() == [81.0, 81.0]
    assert len(GopherQuality().judge(table.slice(2))) == 0


def test_a_document_without_words_passes_the_rules_that_divide_by_their_number() -> None:
    options: dict[str, Any] = {"min_doc_words": None, "min_stop_words": None}
    assert theirs(["", " \n"], **options) == [RAISED, RAISED]
    assert ours(["", " \n"], **options) == [None, None]


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_a_decision_depends_on_its_document_only(data: st.DataObject) -> None:
    texts = data.draw(st.lists(HOSTILE, min_size=2, max_size=6))
    options: dict[str, Any] = {"min_doc_words": 1, "max_symbol_word_ratio": 0.5, "min_stop_words": 1}
    assume(any(texts))
    assert ours(texts, **options) == [ours([text], **options)[0] for text in texts]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_symbol_word_ratio": 0}, "Write null to turn the rule off"),
        ({"min_doc_words": 60, "max_doc_words": 50}, "every document would be dropped"),
        ({"stop_words": ["the", "the"]}, "stop_words has 1 different words"),
        ({"min_words": 3}, "Extra inputs"),
    ],
)
def test_options_that_mislead_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GopherQuality(**options)
