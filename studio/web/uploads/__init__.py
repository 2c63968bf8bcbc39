"""Uploads: what contributors send or record in the browser becomes a submitted recording."""
