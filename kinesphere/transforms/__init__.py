"""Transforms: what is done to batches before training, and what is derived from poses."""
