"""The data types of Eyas: documents, sources, stages, verdicts, the ledger, the store. It knows no concrete stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.corpus.stage import CorpusStage, Filter, Generator, Joiner, Mapper, Stage, StageUnavailable
    from eyas.corpus.verdict import Rule, Verdict
    from eyas.errors import Alarm

__all__ = [
    "Alarm",
    "CorpusStage",
    "Filter",
    "Generator",
    "Joiner",
    "Mapper",
    "Rule",
    "Stage",
    "StageUnavailable",
    "Verdict",
]

__getattr__ = lazy(
    __name__,
    {
        "Alarm": "eyas.errors",
        "CorpusStage": "eyas.corpus.stage",
        "Filter": "eyas.corpus.stage",
        "Generator": "eyas.corpus.stage",
        "Joiner": "eyas.corpus.stage",
        "Mapper": "eyas.corpus.stage",
        "Rule": "eyas.corpus.verdict",
        "Stage": "eyas.corpus.stage",
        "StageUnavailable": "eyas.corpus.stage",
        "Verdict": "eyas.corpus.verdict",
    },
)
