"""Where the videos of recordings lie in a store: as they were recorded, and with heads hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping

VIDEO = "video"
"""The key under which batches hold frames of videos."""


def video_key(recording: str) -> str:
    """Key of a recording's video.

    Args:
        recording: id of the recording.

    Returns:
        The key in the object store.
    """
    return f"recordings/{recording}/video.mp4"


def blurred_key(recording: str) -> str:
    """Key of a recording's video with the contributor's head hidden.

    Args:
        recording: id of the recording.

    Returns:
        The key in the object store.
    """
    return f"recordings/{recording}/blurred.mp4"


VIDEO_KEYS: Mapping[str, Callable[[str], str]] = {"raw": video_key, "blurred": blurred_key}
"""By what a version's manifest says under "video", the key of a recording's video that may be seen."""
