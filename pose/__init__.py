"""Pose: a recording becomes a trajectory of body and hands."""
