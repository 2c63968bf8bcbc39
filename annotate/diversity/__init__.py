"""Diversity: whom and what a dataset's hours are of, and how many people that is worth."""
