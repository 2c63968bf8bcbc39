"""What everybody writes: MediaPipe's two landmarkers on each whole frame, and nothing after them.

The wrist's pose, which MediaPipe does not give, comes from the same Perspective-n-Point of hand landmarks as
`pose.geometry.wrist` has it, frame by frame, so that the row can be filled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.estimate import Estimate
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS
from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.wrist import grip, wrist_pose
from pose.networks.models import hand_model, pose_model
from storage.footage.video_reader import open_video

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlainFrame:
    """What the two landmarkers say of a frame; NaN where they find nothing. Sides are as the model says."""

    body: Array
    """(33, 3) in image widths and heights."""
    body_world: Array
    """(33, 3) in metres of a model human."""
    hands: Array
    """(2, 21, 3) in image widths and heights."""
    hands_world: Array
    """(2, 21, 3) in metres of a model hand."""


def plain_frames(clip: Path) -> Iterator[PlainFrame]:
    """Run both landmarkers, one after the other, on every frame of a video.

    Args:
        clip: the video.

    Yields:
        What they found, frame by frame.
    """
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    pose, hand = (BaseOptions(model_asset_path=str(model().path)) for model in (pose_model, hand_model))
    video = vision.RunningMode.VIDEO
    with (
        vision.PoseLandmarker.create_from_options(
            vision.PoseLandmarkerOptions(base_options=pose, running_mode=video)
        ) as bodies,
        vision.HandLandmarker.create_from_options(
            vision.HandLandmarkerOptions(base_options=hand, running_mode=video, num_hands=len(HANDS))
        ) as hands,
        open_video(clip) as reader,
    ):
        for frame in reader.frames():
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame.image))
            milliseconds = frame.timestamp_ns // 1_000_000
            found = bodies.detect_for_video(picture, milliseconds)
            seen = hands.detect_for_video(picture, milliseconds)
            row = np.full((2, len(HANDS), len(HAND_LANDMARKS), 3), np.nan)
            for place, world, sides in zip(
                seen.hand_landmarks, seen.hand_world_landmarks, seen.handedness, strict=True
            ):
                row[:, HANDS.index(sides[0].category_name.lower())] = _points(place), _points(world)
            nothing = np.full((len(BODY_LANDMARKS), 3), np.nan)
            yield PlainFrame(
                _points(found.pose_landmarks[0]) if found.pose_landmarks else nothing,
                _points(found.pose_world_landmarks[0]) if found.pose_world_landmarks else nothing,
                row[0],
                row[1],
            )


def plain_estimate(clip: Path, size: tuple[int, int], known: Mapping[str, Any]) -> tuple[Estimate, Estimate]:
    """What the plain loop finds in a clip.

    Args:
        clip: the video.
        size: width and height of its picture in pixels.
        known: the true `fx`, `fy`, `cx`, `cy`.

    Returns:
        With an assumed focal length, and with the true one.
    """
    began = time.process_time()
    frames = list(plain_frames(clip))
    took = (time.process_time() - began) / max(len(frames), 1)
    body, body_world = np.stack([frame.body for frame in frames]), np.stack([frame.body_world for frame in frames])
    hands, world = np.stack([frame.hands for frame in frames]), np.stack([frame.hands_world for frame in frames])

    def with_camera(intrinsics: Mapping[str, Any]) -> Estimate:
        poses = [wrist_pose(world[:, side], hands[:, side], side, size, intrinsics) for side in range(len(HANDS))]
        return Estimate(
            body[..., :2] * size,
            hands[..., :2] * size,
            body_world,
            world,
            np.stack(poses, axis=1).astype(np.float64),
            grip(world).astype(np.float64),
            np.isfinite(hands[:, :, 0, 0]),
            core_seconds=took,
        )

    return with_camera(assumed_intrinsics(*size)), with_camera(known)


def _points(landmarks: Any) -> Array:
    return np.array([(landmark.x, landmark.y, landmark.z) for landmark in landmarks])
