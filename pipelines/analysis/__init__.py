"""Analyses of a finished run, from its files."""
