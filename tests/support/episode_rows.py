"""Rows of episode tables that belong to no shard, for tests of who contributed what."""

from __future__ import annotations

from itertools import count
from typing import Any

_numbers = count()


def row(contributor: str, seconds: float, task: str = "pour", **changes: Any) -> dict[str, Any]:
    """The row of an episode of some length; each has an id of its own."""
    recording = f"20261123-094500-{next(_numbers):08x}"
    found: dict[str, Any] = {
        "episode": recording,
        "recording": recording,
        "contributor": contributor,
        "task": task,
        "task_version": 1,
        "shard": "0" * 32,
        "first_frame": 0,
        "length": max(1, round(seconds * 30)),
        "start_ns": 0,
        "end_ns": round(seconds * 1e9),
        "frame_rate": 30.0,
        "scale": "relative",
        "extractor": "0" * 16,
        "body_share": 0.9,
        "left_hand_share": 0.8,
        "right_hand_share": 0.7,
        "image_width": 1280,
        "image_height": 720,
    }
    return found | changes
