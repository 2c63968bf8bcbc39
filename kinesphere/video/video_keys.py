"""Where the videos of recordings lie in a store: as they were recorded, and with heads hidden."""

from __future__ import annotations


def video_key(recording: str) -> str:
    """Key of a recording's video."""
    return f"recordings/{recording}/video.mp4"


def blurred_key(recording: str) -> str:
    """Key of a recording's video with the contributor's head hidden."""
    return f"recordings/{recording}/blurred.mp4"
