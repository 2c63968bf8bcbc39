"""Looks for everybody's heads in a video, a few times a second, so that bystanders can be hidden too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.video.upright import RgbConverter
from pose.networks.models import Model
from storage.footage.video_reader import VideoReader

EVERY_NS = 200_000_000
"""A person walks a third of a metre between two looks. Each costs 50 ms of one core at 1768x994."""
MOST_PEOPLE = 6
"""How many are looked for; each found adds 15 ms."""
CONFIDENCE = 0.3
"""Lower than for extraction: to hide too much is better than to show a face."""


@dataclass(frozen=True)
class SeenBodies:
    """The people found in one frame."""

    timestamp_ns: int
    bodies: NDArray[np.float64]
    """(people, 33, 2) body landmarks in pixels."""


def look_for_people(
    video: VideoReader, model: Model, on_progress: Callable[[int], None] | None = None
) -> list[SeenBodies]:
    """Find people in a frame every `EVERY_NS`, each looked at afresh, nobody followed.

    Args:
        video: an upright video.
        model: the pose landmarker's.
        on_progress: called with the number of frames read.

    Returns:
        The people in each frame that was looked at.

    Raises:
        InvalidInput: MediaPipe cannot use the model.
        InvalidVideo: the video cannot be read.
    """
    seen, due_ns = [], 0
    size = np.array([video.width, video.height], np.float64)
    rgb = RgbConverter()
    with closing(_landmarker(model)) as landmarker:
        for shown in video.pictures():
            if shown.timestamp_ns >= due_ns:
                due_ns = shown.timestamp_ns + EVERY_NS - 1_000_000  # frame times are rounded
                bodies = list(_bodies(landmarker, np.ascontiguousarray(rgb(shown.picture))))
                seen.append(SeenBodies(shown.timestamp_ns, np.array(bodies, np.float64).reshape(-1, 33, 2) * size))
            if on_progress is not None:
                on_progress(shown.index + 1)
    return seen


def _bodies(landmarker: Any, image: NDArray[np.uint8]) -> Iterator[list[tuple[float, float]]]:
    import mediapipe

    found = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
    for body in found.pose_landmarks:
        yield [(landmark.x, landmark.y) for landmark in body]


def _landmarker(model: Model) -> Any:
    with needs_extra("pose"):
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model.path)),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MOST_PEOPLE,
        min_pose_detection_confidence=CONFIDENCE,
        min_pose_presence_confidence=CONFIDENCE,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidInput(f"MediaPipe cannot use the model {model.path}: {reason}") from error
