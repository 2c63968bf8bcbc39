"""Shards as they are written: encoded trajectory by trajectory, named by their content, visible all at once."""
