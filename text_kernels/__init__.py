"""Numba kernels over Arrow's UTF-8 buffers: each walks the bytes once, without a Python string per document."""
