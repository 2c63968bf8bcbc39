"""Shards as they are read: immutable groups of arrays, decoded straight into the caller's memory."""
