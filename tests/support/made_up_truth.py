"""A truth that needs no pictures: two hands and a body that move before a camera, and what finds them exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.estimate import Estimate
from benchmarks.rendered_people.truth import Truth
from kinesphere.transforms.quaternions import rotation_matrix
from pose.geometry.wrist import grip, palm_axes, quaternions
from pose.landmarks import BODY_HIPS, WRIST

FRAMES, RATE = 120, 30.0
FOCAL, CENTRE = 1000.0, (640.0, 360.0)
WIDTH = 1280


def made_up_truth(seed: int = 0, frames: int = FRAMES) -> Truth:
    """A person who waves both hands 1.5 m before the camera, all of them in view.

    Args:
        seed: of the hands' shapes.
        frames: how many.

    Returns:
        The truth.
    """
    generator, times = np.random.default_rng(seed), np.arange(frames) / RATE
    fingers = np.array([[0, 0, 0], *[_finger(place, joint) for place in range(5) for joint in range(4)]])
    moved = np.stack([np.sin(times * 2), np.cos(times * 1.5), np.sin(times)], axis=1) * 0.1
    hands = np.empty((frames, 2, 21, 3))
    for side in range(2):
        own = fingers * (1 if side == 1 else -1, 1, 1) + generator.normal(0, 0.001, (21, 3))
        turned = rotation_matrix(np.stack([np.cos(times), 0 * times, np.sin(times), 0 * times], axis=1))
        place = np.array([0.3 if side == 0 else -0.3, 0.0, 1.5])
        hands[:, side] = np.einsum("fij,pj->fpi", turned, own) + (place + moved)[:, None]
    body = np.broadcast_to(generator.uniform((-0.4, -0.4, 1.8), (0.4, 0.6, 2.2), (33, 3)), (frames, 33, 3)).copy()
    for first in range(11, 33, 2):  # every left landmark to the right in the picture, as that of who faces the camera
        body[:, first, 0], body[:, first + 1, 0] = 0.2, -0.2
    return Truth(
        body,
        pixels_of(body),
        np.ones((frames, 33), bool),
        hands,
        pixels_of(hands),
        np.ones((frames, 2, 21), bool),
        np.stack([palm_axes(hands[:, side], side) for side in range(2)], axis=1),
        grip(hands).astype(np.float64),
        np.array([FOCAL, FOCAL, *CENTRE]),
        times,
        np.zeros((frames, 3)),
        np.broadcast_to(np.eye(3), (frames, 3, 3)),
    )


def found_exactly(truth: Truth) -> Estimate:
    """What would be found by who makes no mistake.

    Args:
        truth: of the clip.

    Returns:
        The estimate.
    """
    hips = truth.body_camera[:, BODY_HIPS].mean(axis=1, keepdims=True)
    turned = quaternions(truth.wrist_rotation.reshape(-1, 3, 3)).reshape(len(truth), 2, 4)
    return Estimate(
        truth.body_pixels.copy(),
        truth.hands_pixels.copy(),
        truth.body_camera - hips,
        truth.hands_camera - truth.hands_camera.mean(axis=2, keepdims=True),
        np.concatenate([truth.hands_camera[:, :, WRIST], turned], axis=-1),
        truth.grip.copy(),
        np.ones((len(truth), 2), bool),
        core_seconds=0.04,
    )


def pixels_of(camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) where the made-up camera sees points (..., 3)."""
    return np.asarray(camera[..., :2] / camera[..., 2:] * FOCAL + CENTRE, np.float64)


def _finger(place: int, joint: int) -> tuple[float, float, float]:
    """A fan of bent fingers, thumb first."""
    return (place - 2) * 0.02, -0.05 - 0.03 * joint, 0.01 * joint**1.5
