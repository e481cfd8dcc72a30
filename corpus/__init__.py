"""The nouns of Eyas: documents, stages, verdicts, the ledger, the store. Knows no concrete stage."""

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
