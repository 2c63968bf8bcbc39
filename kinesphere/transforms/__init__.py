"""Transforms of batches before training, one a file, and what is derived from poses."""
