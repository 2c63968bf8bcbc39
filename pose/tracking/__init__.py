"""Tracking: one person and their hands held from frame to frame, and their tracks smoothed."""
