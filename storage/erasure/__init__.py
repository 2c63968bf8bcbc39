"""Erasure: what a person recorded leaves everything, with proof; a tombstone stays."""
