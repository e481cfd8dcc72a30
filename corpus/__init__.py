"""The nouns of Eyas: documents, stages, verdicts, the ledger, the store. Knows no concrete stage."""

from corpus.stage import Alarm, CorpusStage, Filter, Generator, Joiner, Mapper, Stage, StageUnavailable
from corpus.verdict import Rule, Verdict

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
