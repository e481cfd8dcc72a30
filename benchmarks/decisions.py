"""Are our decisions datatrove's? Share of equal decisions and reasons, on real documents of every kind.

Given our words and sentences through datatrove's own hook, every decision and reason must be equal: each filter with its
defaults on all documents, and with every option changed, every rule off and every rule alone on a share of them. With
datatrove's own words (spaCy, where it is installed) the agreement of each rule by itself is told, and by kind of text
where it is low: words differ (spaCy takes `====` for one word and `don't` for two), so this is reported, not demanded.

    python -m benchmarks.decisions --corpus /data/corpus --megabytes 75 --json decisions.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.common import Document, Options, Report, installed, read_documents, run, text_column
from benchmarks.filters import our_words, words_by
from eyas.corpus import Rule
from eyas.filters.heuristics import C4Quality, FineWebQuality, GopherQuality, GopherRepetition
from eyas.text_kernels.unicode import classes as unicode_classes

PEERS: dict[type[Any], str] = {
    GopherRepetition: "GopherRepetitionFilter",
    GopherQuality: "GopherQualityFilter",
    C4Quality: "C4QualityFilter",
    FineWebQuality: "FineWebQualityFilter",
}
OFF: dict[type[Any], dict[str, Any]] = {
    GopherRepetition: {
        **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
        "top_n_grams": (),
        "dup_n_grams": (),
    },
    GopherQuality: {
        **dict.fromkeys(("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length")),
        **dict.fromkeys(("max_symbol_word_ratio", "max_bullet_lines_ratio", "max_ellipsis_lines_ratio")),
        **dict.fromkeys(("max_non_alpha_words_ratio", "min_stop_words")),
    },
    C4Quality: {
        **dict.fromkeys(("min_num_sentences", "min_words_per_line", "max_word_length")),
        **dict.fromkeys(("filter_no_terminal_punct", "filter_lorem_ipsum", "filter_javascript"), False),
        **dict.fromkeys(("filter_curly_bracket", "filter_policy", "remove_citations"), False),
    },
    FineWebQuality: {
        "line_punct_thr": 0.0,
        "short_line_thr": 1.0,
        "char_duplicates_ratio": 1.0,
        "new_line_ratio": float("inf"),
    },
}
"""Options with which no rule of the filter drops anything (save empty documents)."""
CHANGED: dict[type[Any], list[dict[str, Any]]] = {
    GopherRepetition: [
        {"dup_line_frac": 0.1},
        {"dup_para_frac": 0.05},
        {"dup_line_char_frac": 0.05},
        {"dup_para_char_frac": 0.05},
        {"top_n_grams": ((1, 0.1), (2, 0.1), (5, 0.05))},
        {"dup_n_grams": ((2, 0.5), (3, 0.3), (12, 0.05))},
    ],
    GopherQuality: [
        {"min_doc_words": 200},
        {"max_doc_words": 500},
        {"min_avg_word_length": 4.5},
        {"max_avg_word_length": 5},
        {"max_symbol_word_ratio": 0.01},
        {"max_bullet_lines_ratio": 0.1},
        {"max_ellipsis_lines_ratio": 0.01},
        {"max_non_alpha_words_ratio": 0.6},
        {"min_stop_words": 5},
        {"min_stop_words": 1, "stop_words": ("der", "die", "и", "को", "的", "el")},
    ],
    C4Quality: [
        {"split_paragraph": False},
        {"remove_citations": False},
        {"min_num_sentences": 2},
        {"min_words_per_line": 8},
        {"max_word_length": 15},
    ],
    FineWebQuality: [
        {"line_punct_thr": 0.4},
        {"line_punct_exclude_zero": True},
        {"stop_chars": (".", ":", "。")},
        {"short_line_thr": 0.3},
        {"short_line_length": 60},
        {"char_duplicates_ratio": 0.1},
        {"new_line_ratio": 0.1},
    ],
}
"""Each option, made to decide."""
C4_OFF = {"min_num_sentences": -1, "min_words_per_line": -1, "max_word_length": -1}
LETTERS = np.flatnonzero(unicode_classes.classes() == unicode_classes.CLASS_LETTER).tolist()
UNKNOWN = dict.fromkeys(code for code in LETTERS if not chr(code).isalpha())
"""Letters younger than this Python, which datatrove asks: they are taken out."""
SPACY_DOCUMENTS = 3000


def measure(options: Options) -> Report:
    documents = [document._replace(text=document.text.translate(UNKNOWN)) for document in read_documents(options)]
    report = Report()
    if not installed("datatrove"):
        report.checked.append("datatrove is not installed: nothing was compared")
        return report
    for counts in (Counter(d.kind for d in documents), Counter(str(d.lang) for d in documents)):
        listed = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(20))
        report.checked.append(f"{len(documents):,} documents: {listed}")
    texts = [document.text for document in documents]
    words = our_words(texts)
    for stage in PEERS:
        _equal(report, stage, texts, words)
    if installed("spacy"):
        english = [document for document in documents if document.lang == "en" and len(document.text) < 100_000]
        _agreement(report, english[:SPACY_DOCUMENTS])
    else:
        report.checked.append("spaCy is not installed: agreement with datatrove's own words was not measured")
    return report


def variants(stage: type[Any]) -> Iterator[dict[str, Any]]:
    """Every option changed; every rule off; every rule alone."""
    yield from CHANGED[stage]
    off = OFF[stage]
    for option in off:
        yield {option: off[option]}
        alone = {name: value for name, value in off.items() if name != option}
        yield alone
    for option in ("top_n_grams", "dup_n_grams") if stage is GopherRepetition else ():
        for pair in GopherRepetition.model_fields[option].default:
            yield {**off, option: (pair,)}


def _equal(report: Report, stage: type[Any], texts: Sequence[str], words: Any) -> None:
    cases = list(variants(stage))
    same = sum(a == b for a, b in _pairs(stage, texts, words, {}))
    report.alone(f"{stage.__name__}, equal with its defaults", 100 * same / len(texts), "%", 100)
    equal = total = 0
    for number, options in enumerate(cases):
        share = texts[number :: len(cases)]
        found = sum(a == b for a, b in _pairs(stage, share, words, options))
        if found != len(share):
            report.checked.append(f"{stage.__name__} {options}: {len(share) - found} of {len(share)} UNEQUAL")
        equal, total = equal + found, total + len(share)
    report.alone(f"{stage.__name__}, equal with {len(cases)} other options", 100 * equal / total, "%", 100)
    if same != len(texts):
        report.checked.append(f"{stage.__name__}: {len(texts) - same} of {len(texts)} UNEQUAL")


def _pairs(
    stage: type[Any], texts: Sequence[str], words: Any, options: dict[str, Any]
) -> list[tuple[str | None, str | None]]:
    """Our reason and datatrove's, for each text. A document without words, on which it raises, counts as ours."""
    table = pa.table({"text": text_column(texts)})
    ours = stage(**options).judge(table).reason.to_pylist()
    theirs = _decide(stage, texts, words, options)
    return [(a, a if b == "ZeroDivisionError" else b) for a, b in zip(ours, theirs, strict=True)]


def _decide(stage: type[Any], texts: Sequence[str], words: Any, options: dict[str, Any]) -> list[str | None]:
    filters, data = import_module("datatrove.pipeline.filters"), import_module("datatrove.data")
    given = {name: C4_OFF.get(name) if value is None else value for name, value in options.items()}
    judge = getattr(filters, PEERS[stage])(language=words, **given)
    found: list[str | None] = []
    for text in texts:
        try:
            result = judge.filter(data.Document(text=text, id=""))
        except ZeroDivisionError:
            result = (False, "ZeroDivisionError")
        found.append(None if result is True else result[1])
    return found


def _agreement(report: Report, documents: Sequence[Document]) -> None:
    """Each rule by itself on English documents, with spaCy's words on their side and ours on ours."""
    texts = [document.text for document in documents]
    words = _spacy_words(texts)
    table = pa.table({"text": text_column(texts)})
    for stage in PEERS:
        for rule in stage().rules(table):
            if rule.option is None:
                continue
            theirs = np.array([r == rule.reason for r in _decide(stage, texts, words, _alone(stage, rule))])
            agree = theirs == rule.fails
            name = f"{rule.reason}, against spaCy's words"
            report.alone(name, 100 * float(agree.mean()), "%", 99)
            dropped = f"drops {_share(rule.fails)} here, {_share(theirs)} there"
            if agree.mean() < 0.99:
                report.checked.append(f"{name}: {_by_kind(documents, agree)}; {dropped}")


def _alone(stage: type[Any], rule: Rule) -> dict[str, Any]:
    """The options with which no other rule decides."""
    assert rule.option is not None
    if stage is C4Quality:
        return {}
    option, _, size = rule.option.partition("[")
    alone = {name: value for name, value in OFF[stage].items() if name != option}
    return {**alone, option: ((int(size[:-1]), rule.threshold),)} if size else alone


def _share(fails: Any) -> str:
    return f"{100 * float(np.mean(fails)):.1f} %"


def _by_kind(documents: Sequence[Document], agree: Any) -> str:
    kinds = np.array([document.kind for document in documents])
    shares = sorted((100 * float(agree[kinds == kind].mean()), str(kind)) for kind in np.unique(kinds))
    return "agrees in " + ", ".join(f"{kind} {share:.1f} %" for share, kind in shares)


def _spacy_words(texts: Sequence[str]) -> Any:
    """datatrove's spaCy words and sentences, each made once."""
    tokenizer = import_module("datatrove.utils.word_tokenizers").load_word_tokenizer("en")
    known = {text: tokenizer.word_tokenize(text) for text in texts}
    lines: dict[str, list[str]] = {}

    def sentences(line: str) -> list[str]:
        if line not in lines:
            ends = [end for _, end in tokenizer.span_tokenize(line)]
            starts = [0, *ends[:-1]]
            lines[line] = [line[i:j] for i, j in zip(starts, [*ends[:-1], len(line)], strict=False)]
        return lines[line]

    return words_by(known.__getitem__, sentences)


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
