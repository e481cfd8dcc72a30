"""Heuristic filters: stages that decide by counts of words, lines and characters, with the thresholds of their papers."""

from eyas.filters.heuristics.c4 import C4Quality
from eyas.filters.heuristics.code import CodeQuality
from eyas.filters.heuristics.fineweb import FineWebQuality
from eyas.filters.heuristics.gopher import GopherQuality
from eyas.filters.heuristics.lines import LineCleanup
from eyas.filters.heuristics.math import MathQuality
from eyas.filters.heuristics.repetition import GopherRepetition

__all__ = [
    "C4Quality",
    "CodeQuality",
    "FineWebQuality",
    "GopherQuality",
    "GopherRepetition",
    "LineCleanup",
    "MathQuality",
]
