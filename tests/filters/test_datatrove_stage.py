"""datatrove's classes as stages: results are those of the class itself, and errors say what cannot work."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from eyas.corpus import StageUnavailable
from eyas.corpus.documents import NOTE, documents
from eyas.filters.datatrove_stage import DatatroveFilter, DatatroveFormatter
from eyas.filters.heuristics import GopherQuality
from eyas.pipelines.engine.quarantine import apply_filter, apply_mapper

pytest.importorskip("datatrove")
from datatrove.data import Document
from datatrove.pipeline.filters import RegexFilter, URLFilter
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.formatters.base import BaseFormatter

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'registered_domain' property:DeprecationWarning",
    "ignore:Mean of empty slice",
    "ignore:invalid value encountered",
)
NO_SPACY = importlib.util.find_spec("spacy") is None
PROSE = "The first of the words that we have to be read with. " * 12
TEXTS = [
    PROSE,
    "short",
    "",
    "\0\n",
    PROSE + "# " * 60,
    "x" * 5000,
    PROSE + "…\n" * 40,
    "- a\n- b\n" * 40,
    "Ünïcödé שלום " * 60,
]


def table(*texts: str, origins: list[str] | None = None, **columns: pa.Array) -> pa.Table:
    return documents(list(range(len(texts))), list(texts), "s", origins or [""] * len(texts), columns)


class Shouts(BaseFormatter):  # type: ignore[misc]
    """A class of one's own."""

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    def format(self, text: str) -> str:
        return text.upper() + self.mark


class Edits(BaseFilter):  # type: ignore[misc]
    """Changes what it keeps and what it drops, and sees the metadata."""

    def filter(self, doc: Document) -> Any:
        assert doc.metadata["lang"] == "en" and doc.metadata["source"] == "s"
        doc.text = doc.text.replace("bad", "good")
        return "drop" not in doc.text


OWN = "own_datatrove_steps"


@pytest.fixture(autouse=True)
def own_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes the classes above importable under a name."""
    (tmp_path / f"{OWN}.py").write_text("# stands for a user's module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(OWN)
    for cls in (Shouts, Edits):
        monkeypatch.setattr(module, cls.__name__, cls, raising=False)
        monkeypatch.setattr(cls, "__module__", OWN)


@pytest.mark.parametrize("options", [{"regex_exp": r"(\w)\1\1"}, {"regex_exp": "[#\\x00]"}])
def test_decisions_are_those_of_the_class(options: dict[str, Any]) -> None:
    oracle = RegexFilter(**options)
    verdict = DatatroveFilter(name="RegexFilter", options=options).judge(table(*TEXTS))
    assert verdict.kept.to_pylist() == [oracle.filter(Document(text=text, id="0")) for text in TEXTS]
    assert {reason for reason in verdict.reason.to_pylist() if reason} == {"RegexFilter"}
    assert verdict.columns == {}


def test_with_our_words_gophers_rules_are_our_own() -> None:
    """And it runs without spaCy. Texts without a word are left out: datatrove divides by zero there."""
    texts = [text for text in TEXTS if text.strip("\0\n")]
    options = {"min_doc_words": 20}
    stage = DatatroveFilter(name="GopherQualityFilter", options=options, words="eyas")
    stage.prepare()
    verdict, ours = stage.judge(table(*texts)), GopherQuality(min_doc_words=20).judge(table(*texts))
    assert verdict.kept.equals(ours.kept) and verdict.reason.equals(ours.reason)
    assert {"gopher_short_doc", "gopher_too_many_hashes", None} <= set(verdict.reason.to_pylist())
    for name in ("GopherRepetitionFilter", "FineWebQualityFilter"):
        assert DatatroveFilter(name=name, words="eyas").judge(table(PROSE, PROSE)).kept.null_count == 0


def test_a_url_in_the_origin_is_what_url_filter_sees(tmp_path: Path) -> None:
    pytest.importorskip("ahocorasick"), pytest.importorskip("tldextract")
    stage = DatatroveFilter(name="URLFilter", options={"banned_words": ["casino"], "use_integrated_lists": False})
    tldextract = importlib.import_module("tldextract")
    stage._object.tldextractor = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
    verdict = stage.judge(table("a", "b", origins=["http://ok.com/casino", "https://ok.com/"]))
    assert verdict.reason.to_pylist() == ["hard_blacklisted", None]
    assert isinstance(stage._object, URLFilter)


def test_a_document_on_which_it_raises_is_set_aside_alone() -> None:
    stage = DatatroveFilter(name="GopherQualityFilter", options={"min_doc_words": None}, words="eyas")
    judged, verdict, refusals = apply_filter("gopher", stage, table(PROSE, "", "short"))
    assert judged.num_rows == len(verdict) == 2
    assert [refusal.id for refusal in refusals] == [1] and "division" in refusals[0].detail


def test_a_filter_that_edits_does_so_only_when_asked() -> None:
    docs = table("a bad word", "fine", "bad: drop", lang=pa.array(["en"] * 3))
    with pytest.raises(StageUnavailable, match=r"changes the text.*`edit_text: true`.*`line_cleanup`"):
        DatatroveFilter(name=f"{OWN}:Edits").judge(docs)
    stage = DatatroveFilter(name=f"{OWN}:Edits", edit_text=True)
    judged, verdict, _ = apply_filter("edits", stage, docs)
    # What is dropped is shown as it was read.
    assert judged.column("text").to_pylist() == ["a good word", "fine", "bad: drop"] and judged.schema == docs.schema
    assert verdict.detail.to_pylist() == ["text changed", None, None]
    assert verdict.kept.to_pylist() == [True, True, False]


def test_a_formatter_rewrites_texts_and_says_so() -> None:
    stage = DatatroveFormatter(name=f"{OWN}:Shouts", options={"mark": "!"})
    out, _ = apply_mapper("shouts", stage, table("a", "", "B!"))
    assert out.column("text").to_pylist() == ["A!", "!", "B!!"] and NOTE not in out.column_names
    symbols = DatatroveFormatter(name="SymbolLinesFormatter").map(table("a\n****\nb", "c"))
    assert symbols.column("text").to_pylist() == ["a\nb", "c"]
    assert symbols.column(NOTE).to_pylist() == ["SymbolLinesFormatter", None]


def test_private_data_are_replaced_alike_whatever_came_before() -> None:
    texts = ["me@site.org", "you@site.org and me@site.org", "8.8.8.8"]
    stage = DatatroveFormatter(name="PIIFormatter")
    found = stage.map(table(*texts)).column("text").to_pylist()
    assert found == ["email@example.com", "email@example.com and firstname.lastname@example.org", "22.214.171.124"]
    assert stage.map(table(*texts[::-1])).column("text").to_pylist() == found[::-1]


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        (
            DatatroveFilter,
            {"name": "GopherQualtyFilter"},
            "no filter 'GopherQualtyFilter'; did you mean 'GopherQualityF",
        ),
        (DatatroveFormatter, {"name": "FtfyFormatter"}, "no formatter 'FtfyFormatter'; did you mean 'FTFYFormatter'"),
        (DatatroveFormatter, {"name": "RegexFilter"}, "no formatter 'RegexFilter'"),
        (DatatroveFilter, {"name": "LambdaFilter"}, "takes a Python function"),
        (DatatroveFilter, {"name": "SamplerFilter"}, "by the order of documents"),
        (DatatroveFilter, {"name": "C4BadWordsFilter", "options": {"keep_fraction": 0.1}}, "keep_fraction draws"),
        (DatatroveFilter, {"name": "RegexFilter"}, "needs the option 'regex_exp'"),
        (
            DatatroveFilter,
            {"name": "RegexFilter", "options": {"regex": "a"}},
            "no option 'regex'; did you mean 'regex_exp'",
        ),
        (DatatroveFilter, {"name": "RegexFilter", "options": {"exclusion_writer": 1}}, "are in the ledger"),
        (DatatroveFilter, {"name": "RegexFilter", "options": {"regex_exp": "a"}, "words": "eyas"}, "counts no words"),
        (DatatroveFilter, {"name": "no_module_here:X"}, "cannot be loaded"),
        (DatatroveFilter, {"name": "json:JSONDecoder"}, "is no BaseFilter of datatrove's"),
    ],
)
def test_unknown_names_and_options_are_refused(stage: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stage(**options)


def test_options_that_the_class_refuses_stop_the_run() -> None:
    with pytest.raises(StageUnavailable, match="RegexFilter refuses its options: "):
        DatatroveFilter(name="RegexFilter", options={"regex_exp": "("}).prepare()


@pytest.mark.skipif(not NO_SPACY, reason="spaCy is installed")
def test_without_spacy_the_run_stops_and_says_what_to_do() -> None:
    """And sets no document aside."""
    stage = DatatroveFilter(name="GopherQualityFilter")
    for call in (stage.prepare, lambda: apply_filter("gopher", stage, table(*TEXTS))):
        with pytest.raises(StageUnavailable, match=r"pip install spacy.*`words: eyas`.*`gopher_quality`"):
            call()


def test_c4_edits_and_counts_our_sentences() -> None:
    stage = DatatroveFilter(name="C4QualityFilter", options={"min_num_sentences": 2}, words="eyas", edit_text=True)
    texts = ["A line that ends well. It does!\nA line that does not", "curly { is out.", "One sentence is here."]
    verdict = stage.judge(table(*texts))
    assert verdict.reason.to_pylist() == [None, "curly_bracket", "too_few_sentences"]
    assert verdict.columns["text"].to_pylist() == ["A line that ends well. It does!", *texts[1:]]


def test_lists_become_tuples_where_a_class_asks_for_them() -> None:
    stage = DatatroveFilter(name="FineWebQualityFilter", options={"stop_chars": [".", "!"]}, words="eyas")
    assert stage.judge(table(PROSE)).kept.to_pylist() in ([True], [False])


def test_a_stage_travels_and_its_fingerprint_names_the_version() -> None:
    stage = DatatroveFilter(name="RegexFilter", options={"regex_exp": "a"})
    stage.judge(table("a"))
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert stage.fingerprint() == {"datatrove": importlib.metadata.version("datatrove"), "source": None}
    assert stage.judge(table()).kept.to_pylist() == []
