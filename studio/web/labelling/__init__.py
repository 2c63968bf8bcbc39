"""Labelling: the pages of annotators and what they ask for."""
