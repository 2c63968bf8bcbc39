"""Hands and a person before a camera whose places, turns and speeds are known, as the networks would see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import ADDITIONAL_ARRAYS, BODY_LANDMARKS, Valid
from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.wrist import palm_axes
from pose.landmarks import BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS
from pose.motion.one_size import HAND_LENGTH
from pose.motion.placement import Floats, turned_to

SIZE = (1280, 720)
CAMERA = assumed_intrinsics(*SIZE)

ARM_BONE = 0.27
"""Metres, of upper arm and forearm."""
_BASES = {1: (0.03, 0.025), 5: (0.028, 0.095), 9: (0.008, 0.095), 13: (-0.012, 0.09), 17: (-0.03, 0.08)}
"""Where each finger begins in a right palm: towards the thumb, and from the wrist towards the fingers, in metres."""
_BONES = {1: (0.04, 0.032, 0.028), 5: (0.04, 0.025, 0.022), 9: (0.042, 0.026, 0.022), 13: (0.04, 0.025, 0.022),
          17: (0.032, 0.02, 0.019)}  # fmt: skip

_BODY = {
    "nose": (0, -0.62, -0.1), "shoulder": (0.18, -0.48, 0), "hip": (0.11, 0, 0), "knee": (0.12, 0.42, -0.02),
    "ankle": (0.12, 0.82, 0.02), "heel": (0.12, 0.87, 0.05), "foot_index": (0.14, 0.88, -0.1),
}  # fmt: skip
"""Of a left side, in metres from the hips; the right one is its mirror image."""


def bent_hands(frames: int, side: int, *, seed: int = 0) -> Floats:
    """(frames, 21, 3): hands of one shape, whose fingers bend differently in each frame, about their middle."""
    random = np.random.default_rng(seed)
    hands = np.zeros((frames, 21, 3))
    for first, (x, reach) in _BASES.items():
        hands[:, first] = x, -reach, 0.0
        bend = np.zeros(frames)
        for joint, bone in enumerate(_BONES[first], start=1):
            bend = bend + random.uniform(0.0, 0.5, frames)
            along = np.stack([np.full(frames, 0.3 * (first == 1)), -np.cos(bend), -np.sin(bend)], axis=1)
            along /= np.linalg.norm(along, axis=1, keepdims=True)
            hands[:, first + joint] = hands[:, first + joint - 1] + bone * along
    if side == 0:
        hands[..., 0] *= -1
    chain = np.linalg.norm(np.diff(hands[:, [0, 9, 10, 11, 12]], axis=1), axis=2).sum(axis=1)
    hands *= HAND_LENGTH / chain.mean()
    return np.asarray(hands - hands.mean(axis=1, keepdims=True), np.float64)


@dataclass(frozen=True)
class KnownMotion:
    """What is true of a made-up person."""

    wrists: Floats
    """(frames, 2, 3): metres, in the camera's frame."""
    speeds: Floats
    """(frames, 2, 3): metres a second."""
    turns: Floats
    """(frames, 2, 3, 3): the palms' axes in the camera's frame."""


def person_before_camera(
    frames: int, *, away: float = 2.0, aside: float = 0.3, seed: int = 0, pixel_noise: float = 0.0
) -> tuple[dict[str, NDArray[Any]], KnownMotion]:
    """A person of the model's size, both hands in view and moving, as networks without fault would see them.

    Args:
        frames: at 30 a second.
        away: metres from the camera to the hips.
        aside: metres by which the person stands to the right of the camera's axis.
        seed: of the fingers and of the noise.
        pixel_noise: standard deviation of landmarks in the picture, in pixels.

    Returns:
        All arrays of a smoothed trajectory, and what is true.
    """
    times = np.arange(frames) / 30
    phase = np.stack([times * 3, times * 3 + 2], axis=1)
    swing = np.stack([0.1 * np.sin(phase), 0.08 * np.cos(phase), 0.06 * np.sin(phase / 2)], axis=2)
    rate = np.stack([0.3 * np.cos(phase), -0.24 * np.sin(phase), 0.09 * np.cos(phase / 2)], axis=2)
    hips = np.array([aside, 0.1, away])
    wrists = hips + np.array([[0.25, -0.15, -0.3], [-0.25, -0.15, -0.3]]) + swing
    body = _body(frames) + hips
    body[:, list(BODY_WRISTS)] = wrists
    body[:, list(BODY_ELBOWS)] = _elbows(body[:, list(BODY_SHOULDERS)], wrists)
    hands = np.stack([bent_hands(frames, side, seed=seed + side) for side in (0, 1)], axis=1)
    in_camera = hands - hands[:, :, :1] + wrists[:, :, None]
    arrays = _empty(frames, times)
    random = np.random.default_rng(seed)
    arrays["body_image"][..., :2] = _seen(body, random, pixel_noise)
    arrays["body_image"][..., 2] = 0
    # what a network sees in a region is turned as if the region were before the camera
    arrays["body_world"][...] = (body - hips) @ turned_to(hips[None, :2] / hips[2])[0]
    arrays["hands_image"][..., :2] = _seen(in_camera, random, pixel_noise)
    arrays["hands_image"][..., 2] = 0
    for side in (0, 1):
        middle = in_camera[:, side].mean(axis=1)
        arrays["hands_world"][:, side] = hands[:, side] @ turned_to(middle[:, :2] / middle[:, 2:])
    turns = np.stack([palm_axes(hands[:, side], side) for side in (0, 1)], axis=1)
    return arrays, KnownMotion(wrists, rate, turns)


def _body(frames: int) -> Floats:
    body = np.zeros((frames, len(BODY_LANDMARKS), 3))
    for index, name in enumerate(BODY_LANDMARKS):
        joint = name.removeprefix("left_").removeprefix("right_")
        place = np.array(_BODY.get(joint, _BODY["nose"]), np.float64)
        body[:, index] = place * ([-1, 1, 1] if name.startswith("right_") else [1, 1, 1])
    return body


def _elbows(shoulders: Floats, wrists: Floats) -> Floats:
    """Below the line from shoulder to wrist, so that upper arm and forearm keep their length."""
    arms = wrists - shoulders
    across = np.linalg.norm(arms, axis=2, keepdims=True) / 2
    down = np.array([0.0, 1.0, 0.0]) - arms * (arms[..., 1:2] / (2 * across) ** 2)
    down /= np.linalg.norm(down, axis=2, keepdims=True)
    return np.asarray(shoulders + arms / 2 + down * np.sqrt(ARM_BONE**2 - across**2), np.float64)


def _seen(points: Floats, random: np.random.Generator, noise: float) -> Floats:
    pixels = points[..., :2] / points[..., 2:] * CAMERA["fx"] + [CAMERA["cx"], CAMERA["cy"]]
    return np.asarray((pixels + random.normal(0, noise, pixels.shape)) / SIZE, np.float64)


def _empty(frames: int, times: Floats) -> dict[str, NDArray[Any]]:
    shapes: Mapping[str, tuple[int, ...]] = {
        "body_image": (33, 3), "body_world": (33, 3), "hands_image": (2, 21, 3), "hands_world": (2, 21, 3),
        "wrist_pose": (2, 7), "grip": (2,), **{name: spec.shape for name, spec in ADDITIONAL_ARRAYS.items()},
    }  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {
        name: np.full((frames, *shape), np.nan, np.float32) for name, shape in shapes.items()
    }
    arrays["timestamp"] = (times * 1e9).round().astype(np.int64)
    arrays["body_visibility"] = np.ones((frames, 33), np.float32)
    arrays["hand_score"] = np.ones((frames, 2), np.float32)
    arrays["valid"] = np.full(frames, Valid.BODY | Valid.LEFT_HAND | Valid.RIGHT_HAND, np.uint8)
    return arrays
