"""Forecasts of what stages will cost, for `eyas plan`, before any request is sent.

If a pass is done, its documents are counted. Otherwise they are guessed from the bytes of the input, 5,000 a document
(FineWeb: about 4,000). Documents that an earlier stage would drop are not subtracted, so the guess is high.
"""

# Tested in tests/end_to_end/test_rewriting.py.

from __future__ import annotations

from eyas.corpus.store import Store
from eyas.pipelines.engine.planning import Plan
from eyas.pipelines.engine.results import load_result

GUESSED_BYTES = 5000
"""Bytes of a document, where documents are not counted."""


def forecasts(planned: Plan, store: Store) -> list[tuple[str, str]]:
    """The label and the forecast of each stage that has one, in the order of the recipe."""
    lines: list[tuple[str, str]] = []
    documents, characters, source = (
        max(planned.bytes // GUESSED_BYTES, 1),
        planned.bytes,
        "guessed from the input's bytes",
    )
    for current in planned.passes:
        if current.product is not None:
            break
        for named in current.stages:
            line = named.stage.forecast(documents, characters)
            if line is not None:
                lines.append((named.label, f"{line}. From {documents:,} documents, {source}"))
        result = load_result(store, current)
        if result is not None:
            documents = sum(part.kept for part in result.parts)
            characters, source = sum(part.text_bytes for part in result.parts), "counted"
        elif current.stages:
            source = "more than will be left" if source == "counted" else source
    return lines
