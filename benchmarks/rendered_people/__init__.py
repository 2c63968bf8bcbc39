"""Rendered people before virtual cameras."""
