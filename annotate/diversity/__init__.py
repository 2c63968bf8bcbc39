"""Diversity: whom and what a dataset's hours are of, how many people that is worth, and what each group gets."""
