"""Benchmarks: each prints a table of ratios, measured in one run on the same data."""

import os

# As the command does, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
