"""Inspection: whether everything that a workspace has confirmed is there and whole."""
