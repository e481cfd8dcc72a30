"""Filters: stages that decide which documents stay, by heuristics, language, classifiers, privacy and deduplication."""
