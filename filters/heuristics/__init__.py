"""Heuristic filters: decisions from counts of words, lines and characters, with the thresholds of their papers."""

from filters.heuristics.gopher import GopherQuality

__all__ = ["GopherQuality"]
