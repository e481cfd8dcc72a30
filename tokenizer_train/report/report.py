"""The comparison of tokenizers as files: one HTML page, and a JSON file with the same numbers.

The page is like a run's report: self-contained, no script, everything escaped.
The trade: 2 MB of text per group instead of all of it. On a corpus of 750 MB the sampling error of most groups is then 1
to 2 % (the page shows it), and four tokenizers of 65,000 to 262,000 tokens take 2 minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from eyas.corpus.store import Store
from eyas.tokenizer_train.report.measured import WIDTHS, measure, middle
from eyas.tokenizer_train.report.page import render
from eyas.tokenizer_train.report.sample import Limits

__all__ = ["WIDTHS", "middle", "report"]


def report(
    tokenizers: list[str],
    corpora: list[str],
    *,
    out: str | None = "tokenizers.html",
    json_out: str | None = None,
    widths: Sequence[int] = WIDTHS,
    parameters: Sequence[float] | None = None,
    limits: Limits | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[dict[str, Any]]:
    """Compares tokenizers. Writes the page to `out` and the numbers to `json_out`, unless they are None.

    Returns the rows of the summary. Raises InputError for paths that cannot be read.
    """
    measured = measure(tokenizers, corpora, widths=widths, parameters=parameters, limits=limits, progress=progress)
    try:
        if out is not None:
            progress("writing the page", 1, 1)
            _write(out, render(measured).encode())
        if json_out is not None:
            _write(json_out, json.dumps(measured.to_json(), indent=1, ensure_ascii=False).encode())
        return measured.summary()
    finally:
        measured.sample.close()


def _write(path: str, content: bytes) -> None:
    folder, _, name = path.rpartition("/")
    with Store(folder or ("/" if path.startswith("/") else ".")).create(name) as output:
        output.sink.write(content)
