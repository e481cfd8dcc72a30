"""Deduplication: corpus stages that find copies across all partitions and leave masks."""
