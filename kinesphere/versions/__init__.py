"""Versions as they are read: manifests and episode tables, what is in them, and what changed between two."""
