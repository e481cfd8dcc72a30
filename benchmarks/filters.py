"""datatrove's four standard filters (Gopher repetition and quality, C4, FineWeb) against ours, documents/s on one core.

Every document goes through all four, on either side, in turns. datatrove keeps the words of the latest documents, so it
is given one document after another, and pays for its words once. It is run as it comes, with spaCy's words, if spaCy is
installed, on every eighth document; with a simple regex in their place; and with our words and sentences, which are
made beforehand and cost it nothing: there all decisions and reasons must be equal. Ours finds its words within the time,
shares one walk over the text among the filters, and starts from an Arrow column, as in a run. Peak memory is told for
one, two and four times the same text, which is given in batches, as a run does.

    python -m benchmarks.filters --megabytes 10 --json filters.json
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow as pa

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from eyas.corpus.measure import join
from eyas.corpus.sources.base import BATCH_BYTES
from eyas.filters.heuristics import C4Quality, FineWebQuality, GopherQuality, GopherRepetition
from eyas.filters.heuristics.symbols import TERMINALS
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.sentences import sentences
from eyas.text_kernels.words.words import words

AS_IT_COMES = "four filters, datatrove as it comes"
REGEX = "four filters, datatrove with a regex"
SAME = "four filters, the same words"
GOALS = {AS_IT_COMES: 100.0, REGEX: 20.0, SAME: 20.0}
STAGES = (GopherRepetition(), GopherQuality(), C4Quality(), FineWebQuality())
PEERS = ("GopherRepetitionFilter", "GopherQualityFilter", "C4QualityFilter", "FineWebQualityFilter")
WORD = re.compile(r"\w+|[^\w\s]")
SENTENCE = re.compile(r"[^.!?]*[.!?]+\s*|[^.!?]+")
SPACY_SHARE = 8
"""Every so many documents are given to spaCy, which takes longer than all the others together."""

Decisions = list[tuple[str | None, ...]]
"""Per document the reason of each filter to drop it, or None."""


def measure(options: Options) -> Report:
    texts = read_texts(options)
    table = pa.table({"text": text_column(texts)})
    contenders: dict[str, Callable[[], Any]] = {"ours": lambda: ours(table)}
    work = dict.fromkeys(("ours", REGEX, SAME), len(texts))
    if installed("datatrove"):
        contenders[REGEX] = datatrove(texts, words_by(WORD.findall, SENTENCE.findall))
        contenders[SAME] = datatrove(texts, our_words(texts))
        if installed("spacy"):
            share = pa.table({"text": text_column(texts[::SPACY_SHARE])})
            contenders[AS_IT_COMES] = datatrove(texts[::SPACY_SHARE], "en")
            contenders["ours, a share"] = lambda: ours(share)
            work[AS_IT_COMES] = share.num_rows
    timed = in_turns(contenders, options.rounds)
    report = Report()
    for name, goal in GOALS.items():
        # Documents differ in size a thousandfold: what spaCy got of them is what ours is timed on, too.
        mine_by = "ours, a share" if name == AS_IT_COMES and name in contenders else "ours"
        rate = timed.rate(mine_by, work.get(name, len(texts)))
        if name not in contenders:
            why = "is not installed" if not installed("datatrove") else "needs spaCy, which is not installed"
            report.skip(name, rate, "datatrove", "docs/s", goal, why)
            continue
        theirs: Decisions = timed.results[name]
        mine: Decisions = timed.results[mine_by]
        lines, equal = compare(name, mine, theirs, must_agree=name == SAME)
        report.checked += lines
        report.against(name, rate, timed.rate(name, work[name]), "datatrove", "docs/s", goal, equal)
    report.checked.append(memory(texts))
    return report


def ours(table: pa.Table) -> Decisions:
    """All four filters over the documents, as a stretch of a run asks them."""
    measure = join(stage.measure() for stage in STAGES)
    assert measure is not None
    docs = measure.attach(table)
    return list(zip(*(stage.judge(docs).reason.to_pylist() for stage in STAGES), strict=True))


def compare(name: str, mine: Decisions, theirs: Decisions, must_agree: bool) -> tuple[list[str], bool]:
    """What is said of the decisions, filter by filter; whether they are what they must be."""
    lines, equal = [], True
    for number, peer in enumerate(PEERS):
        pairs = [(a[number], b[number]) for a, b in zip(mine, theirs, strict=True)]
        reasons = sum(a == b for a, b in pairs)
        verdicts = sum((a is None) == (b is None) for a, b in pairs)
        kept = sum(a is None for a, _ in pairs)
        text = f"{name}, {peer}: {reasons:,} of {len(pairs):,} reasons equal, {verdicts:,} decisions; we keep {kept:,}"
        if must_agree and reasons != len(pairs):
            text, equal = f"{text}: UNEQUAL", False
        lines.append(text)
    return lines, equal


def memory(texts: Sequence[str]) -> str:
    """Peak resident memory after the text was filtered once, twice, four times, in batches of a run's size."""
    batches, size = [[]], 0  # type: ignore[var-annotated]
    for text in texts:
        size += len(text.encode())
        batches[-1].append(text)
        if size > BATCH_BYTES:
            batches, size = [*batches, []], 0
    peaks = []
    for times in (1, 1, 2):
        for batch in batches * times:
            ours(pa.table({"text": text_column(batch)}))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
    return f"peak memory after the text once, twice, four times: {', '.join(f'{peak:,.0f} MB' for peak in peaks)}"


def words_by(split: Callable[[str], list[str]], sentences_of: Callable[[str], list[str]]) -> Any:
    """datatrove's hook, answered by two functions; sentences tile the text."""
    tokenizers = import_module("datatrove.utils.word_tokenizers")

    class Words(tokenizers.WordTokenizer):  # type: ignore[misc, name-defined]
        def word_tokenize(self, text: str) -> list[str]:
            return split(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return sentences_of(text)

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            place, spans = 0, []
            for sentence in sentences_of(text):
                spans.append((place, place + len(sentence)))
                place += len(sentence)
            return spans

    return Words()


def our_words(texts: Sequence[str]) -> Any:
    """The hook with our words, made beforehand, and our sentences, which C4 asks for line by line."""
    known = {}
    for text in texts:
        column = text_column([text])
        data = buffers(column)[0].tobytes()
        start, end, _ = words(column)
        # Interned, or ten million words would need half a gigabyte.
        known[text] = [sys.intern(data[i:j].decode()) for i, j in zip(start.tolist(), end.tolist(), strict=True)]
    return words_by(known.__getitem__, our_sentences)


def our_sentences(text: str) -> list[str]:
    data = text.encode()
    starts = sentences(text_column([text]), TERMINALS)[0].tolist()
    return [data[i:j].decode() for i, j in zip(starts, [*starts[1:], len(data)], strict=True)]


def datatrove(texts: Sequence[str], language: Any) -> Callable[[], Decisions]:
    """datatrove's filters over all texts; `language`: a name, or a hook for words."""
    filters, data = import_module("datatrove.pipeline.filters"), import_module("datatrove.data")
    judges = [getattr(filters, name)(language=language) for name in PEERS]

    def decide() -> Decisions:
        found = []
        for number, text in enumerate(texts):
            reasons = []
            for judge in judges:
                # C4's filter rewrites the document, so each filter gets one of its own.
                try:
                    result = judge.filter(data.Document(text=text, id=str(number)))
                except ZeroDivisionError:  # a document without words
                    result = (False, "ZeroDivisionError")
                reasons.append(None if result is True else result[1])
            found.append(tuple(reasons))
        return found

    return decide


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
