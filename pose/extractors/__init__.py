"""Extractors: what turns a video into a trajectory."""
