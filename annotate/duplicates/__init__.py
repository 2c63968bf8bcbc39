"""Duplicates: recordings that show the same take again, by their pictures and by their motion."""
