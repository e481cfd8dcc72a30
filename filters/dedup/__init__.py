"""Deduplication: corpus stages that find copies across all partitions and drop them or cut them out."""
