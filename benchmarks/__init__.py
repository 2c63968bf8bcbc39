"""Benchmarks: each prints a table of ratios, measured in one run on the same data."""
