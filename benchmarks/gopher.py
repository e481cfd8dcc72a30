"""Gopher's quality rules: `GopherQuality.judge` against datatrove's `GopherQualityFilter`, documents/s on one core.

Twice: with the same words, where every decision and reason must be equal, and with a simple regex in place of its
spaCy, where datatrove decides on words of its own. The same words are prepared beforehand and cost datatrove nothing,
while ours are found within the time: the ratio is a lower bound. Either side starts from its own form of a document,
an Arrow column or `Document`s. Letters younger than this Python are the one known cause of unequal decisions.

    python -m benchmarks.gopher --megabytes 10 --json gopher.json
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import pyarrow as pa

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from filters.heuristics import GopherQuality
from text_kernels.utf8 import buffers
from text_kernels.words import words

SAME_WORDS = "Gopher rules, same words"
OWN_WORDS = "Gopher rules, own words"
LEAST_RATIO = 20.0
OPTIONS: dict[str, Any] = {"min_doc_words": 40, "max_non_alpha_words_ratio": 0.5}
"""Those of the quickstart recipe: by the defaults, source code is no prose, and nearly all is dropped by one rule."""
WORD = re.compile(r"\w+|[^\w\s]")

Decision = str | None
"""The reason for which a document is dropped, or None."""


def measure(options: Options) -> Report:
    texts = read_texts(options)
    table = pa.table({"text": text_column(texts)})
    contenders: dict[str, Callable[[], Any]] = {"ours": partial(GopherQuality(**OPTIONS).judge, table)}
    if installed("datatrove"):
        contenders[SAME_WORDS] = _datatrove(texts, _our_words(texts).__getitem__)
        contenders[OWN_WORDS] = _datatrove(texts, WORD.findall)
    timed = in_turns(contenders, options.rounds)
    ours = timed.rate("ours", len(texts))
    report = Report()
    for name, peer_name in ((SAME_WORDS, "datatrove, words for free"), (OWN_WORDS, "datatrove, regex words")):
        if name not in contenders:
            report.skip(name, ours, "datatrove", "docs/s", LEAST_RATIO, "is not installed")
            continue
        decisions: list[Decision] = timed.results["ours"].reason.to_pylist()
        unequal = sum(a != b for a, b in zip(decisions, timed.results[name], strict=True))
        peer = timed.rate(name, len(texts))
        must_agree = name == SAME_WORDS
        equal = unequal == 0 or not must_agree
        report.against(name, ours, peer, peer_name, "docs/s", LEAST_RATIO, equal)
        report.checked.append(_outcome(name, decisions, unequal, must_agree))
    return report


def _outcome(name: str, decisions: Sequence[Decision], unequal: int, must_agree: bool) -> str:
    kept = sum(decision is None for decision in decisions)
    text = f"{name}: {len(decisions) - unequal:,} of {len(decisions):,} decisions and reasons equal ({kept:,} kept)"
    return text + (", as they must" if must_agree and not unequal else ": UNEQUAL" if must_agree else "")


def _our_words(texts: Sequence[str]) -> dict[str, list[str]]:
    """The words of each text. Interned, or ten million of them would need half a gigabyte."""
    found = {}
    for text in texts:
        column = text_column([text])
        data = buffers(column)[0].tobytes()
        start, end, _ = words(column)
        found[text] = [sys.intern(data[i:j].decode()) for i, j in zip(start.tolist(), end.tolist(), strict=True)]
    return found


def _datatrove(texts: Sequence[str], split: Callable[[str], list[str]]) -> Callable[[], list[Decision]]:
    """datatrove's filter over all texts, with `split` as its words."""
    data, filters = import_module("datatrove.data"), import_module("datatrove.pipeline.filters")
    tokenizers = import_module("datatrove.utils.word_tokenizers")

    class Words(tokenizers.WordTokenizer):  # type: ignore[misc, name-defined]
        """datatrove's hook for words."""

        def word_tokenize(self, text: str) -> list[str]:
            return split(text)

        def sent_tokenize(self, text: str) -> list[str]:
            raise NotImplementedError

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError

    judge = filters.GopherQualityFilter(language=Words(), **OPTIONS)
    documents = [data.Document(text=text, id=str(number)) for number, text in enumerate(texts)]

    def decide() -> list[Decision]:
        results = [judge.filter(document) for document in documents]
        return [None if result is True else result[1] for result in results]

    return decide


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
