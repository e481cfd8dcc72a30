"""The nouns of Eyas: documents, stages, verdicts, the ledger, the store. Knows no concrete stage."""

from eyas.corpus.stage import Alarm, CorpusStage, Filter, Generator, Joiner, Mapper, Stage, StageUnavailable
from eyas.corpus.verdict import Rule, Verdict

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
