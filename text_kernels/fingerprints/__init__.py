"""Hashes by which deduplication compares texts: MinHash, shingles, winnowing, lines."""
