"""Judgement: checks and duplicates, the gate and its reviewers, labels and how well annotators agree, diversity."""
