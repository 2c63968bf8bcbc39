"""Proposals: where segments may begin and end, and what their labels may be."""
