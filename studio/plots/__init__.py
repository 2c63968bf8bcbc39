"""Plots as SVG, for the command `diversity` and the dashboard alike."""
