"""Geometry: cameras, boards and sheets of known size, wrists in the camera's frame, metres."""
