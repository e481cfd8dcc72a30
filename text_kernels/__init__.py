"""Numba kernels over Arrow's UTF-8 buffers: one walk over the bytes, no Python string per document. Knows no stage."""
