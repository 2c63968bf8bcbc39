"""Reviewing: the page of the gate's reviewers."""
