"""Decides what stays: heuristics, language, classifiers, privacy, contamination, deduplication."""
