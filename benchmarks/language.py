"""Language identification, documents/s on one core: `Language().judge` against fastText's own `predict`, same model.

The peer gets what it needs for free: a list of strings, cut to 2,000 characters, without line breaks; and it is asked
for one label, as most of its users do. Ours starts from an Arrow column of whole documents, asks for two labels and
gives a verdict with five columns. So the ratio is what all of that costs; the goal is to lose at most a tenth.
Twice: whole documents, and their first 200 characters, where fastText has less to do and the second label alone costs
a tenth: there the goal is to lose at most a fifth.

    python -m benchmarks.language --megabytes 10 --json language.json
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from benchmarks.common import Options, Report, in_turns, read_texts, run, text_column
from eyas.corpus import StageUnavailable
from eyas.filters.language import Language

NAME = "language identification"
LEAST_RATIO = 0.9
SHORT = 200
"""Characters of a short document: a paragraph, or a forum post."""
LEAST_SHORT_RATIO = 0.8
BREAKS = re.compile(r"[\n\r\x00]|</s>")
LABEL = "__label__"


def measure(options: Options) -> Report:
    texts = read_texts(options)
    report = Report()
    stage = Language()
    try:
        stage.prepare()
    except StageUnavailable as error:
        raise ValueError(str(error)) from error
    _compare(report, stage, NAME, LEAST_RATIO, texts, options.rounds)
    short = [text[:SHORT] for text in texts]
    _compare(report, stage, f"{NAME}, {SHORT} characters", LEAST_SHORT_RATIO, short, options.rounds)
    return report


def _compare(report: Report, stage: Language, name: str, least: float, texts: Sequence[str], rounds: int) -> None:
    import fasttext

    model = fasttext.load_model(str(stage.model_path()))
    lines = [BREAKS.sub(" ", text[: stage.max_characters]) for text in texts]
    table = pa.table({"text": text_column(texts)})
    contenders = {
        "ours": partial(stage.judge, table),
        "one label": partial(model.predict, lines),
        "two labels": partial(model.predict, lines, k=2),
    }
    timed = in_turns(contenders, rounds)
    ours, one, two = (timed.rate(contender, len(texts)) for contender in contenders)
    found = timed.results["ours"].columns["lang"].to_pylist()
    unequal = sum(a != b for a, b in zip(found, _languages(timed.results["one label"]), strict=True))
    report.against(name, ours, one, "fastText predict, lines for free", "docs/s", least, unequal == 0)
    told = "as they must" if not unequal else "UNEQUAL"
    report.checked.append(
        f"{name}: {len(texts) - unequal:,} of {len(texts):,} languages equal, {told}; "
        f"fastText with two labels: {two:,.0f} docs/s, {two / one:.2f} of its rate with one"
    )


def _languages(predicted: Any) -> list[str]:
    return [labels[0].removeprefix(LABEL) if labels else "und" for labels in predicted[0]]


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
