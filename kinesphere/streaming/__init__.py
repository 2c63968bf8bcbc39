"""Streaming: windows of episodes in batches, every window once an epoch, from disk or object storage."""
