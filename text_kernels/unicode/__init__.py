"""What every code point is, as tables for kernels."""
