"""Judgement: automated checks, review, segments."""
