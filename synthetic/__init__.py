"""Writes new text from old: rewriting by a language model. What it makes goes through the later stages like any document."""
