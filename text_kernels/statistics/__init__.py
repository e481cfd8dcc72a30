"""Counts that heuristic filters ask of a document: of prose, lines, code and mathematics."""
