"""Signals: what a timeline and a player draw of a trajectory."""
