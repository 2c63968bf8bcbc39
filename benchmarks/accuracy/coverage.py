"""How often stated intervals hold the truth: by group of landmarks, and by distance from the camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.clip_errors import velocity_errors
from benchmarks.accuracy.estimate import Estimate, rotation_vectors
from benchmarks.rendered_people.truth import Truth
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from kinesphere.transforms.quaternions import rotation_matrix
from pose.landmarks import BODY_HIPS, WRIST

Array = NDArray[np.float64]

STATED = 0.9
"""The share of truths that an interval should hold."""
HALF_WIDTH = 1.6449
"""Of such an interval of a normal distribution, in standard deviations."""
DISTANCES = (0.0, 1.0, 2.0, float("inf"))
"""Metres between which clips' frames are counted together."""
BODY_GROUPS = {
    "head": tuple(range(11)),
    "shoulders, hips": tuple(i for i, name in enumerate(BODY_LANDMARKS) if name.endswith(("shoulder", "hip"))),
    "arms": tuple(i for i, name in enumerate(BODY_LANDMARKS) if name.endswith(("elbow", "wrist"))),
    "hands": tuple(
        i for i, name in enumerate(BODY_LANDMARKS) if name.endswith(("pinky", "index", "thumb")) and "foot" not in name
    ),
    "legs": tuple(i for i, name in enumerate(BODY_LANDMARKS) if name.endswith(("knee", "ankle", "heel", "foot_index"))),
}
HAND_GROUPS = {
    "wrist": (WRIST,),
    "thumb": (1, 2, 3, 4),
    "knuckles": (5, 9, 13, 17),
    "finger joints": tuple(i for i, name in enumerate(HAND_LANDMARKS) if name.endswith(("pip", "dip")) and i > 4),
    "finger tips": (8, 12, 16, 20),
}


@dataclass(frozen=True)
class Counted:
    """How many numbers an interval was stated for, and how many of the truths it held."""

    array: str
    group: str
    distance: str
    held: int
    stated: int


def coverage(truth: Truth, found: Estimate) -> list[Counted]:
    """Count how often intervals hold the truth, for all arrays that have them.

    Args:
        truth: of the clip.
        found: what was found, with its standard deviations.

    Returns:
        Counts by array, group of landmarks and distance; nothing where no uncertainty is stated.
    """
    counts = []
    depths = truth.hands_camera[:, :, WRIST, 2]
    for array, group, errors, spread, far in _with_spreads(truth, found, depths):
        with np.errstate(invalid="ignore"):
            held = np.abs(errors) <= HALF_WIDTH * spread
        there = np.isfinite(errors) & np.isfinite(spread)
        away = np.broadcast_to(far.reshape(*far.shape, *[1] * (errors.ndim - far.ndim)), errors.shape)
        for near, beyond in pairwise(DISTANCES):
            used = there & (away >= near) & (away < beyond)
            if used.any():
                name = f"{near:g} to {beyond:g} m" if np.isfinite(beyond) else f"{near:g} m and more"
                counts.append(Counted(array, group, name, int(held[used].sum()), int(used.sum())))
    return counts


def _with_spreads(truth: Truth, found: Estimate, depths: Array) -> Iterator[tuple[str, str, Array, Array, Array]]:
    """Arrays that state an uncertainty: name, group, errors, standard deviations, and metres from the camera."""
    of_body = np.nanmedian(truth.body_camera[..., 2], axis=1)
    for array, errors in _errors(truth, found).items():
        name = f"{array}_sd"
        if name not in found.spreads:
            continue
        spread = np.broadcast_to(found.spreads[name], errors.shape)
        far = of_body if array.startswith("body") else depths
        groups: dict[str, Sequence[int]] = {}
        if array.startswith("body"):
            groups, axis = dict(BODY_GROUPS), 1
        elif array.startswith("hands"):
            groups, axis = dict(HAND_GROUPS), 2
        for group, rows in groups.items():
            yield array, group, errors.take(rows, axis=axis), spread.take(rows, axis=axis), far
        if array in ("wrist_pose", "wrist_velocity"):
            kinds = ("position", "rotation") if array == "wrist_pose" else ("linear", "angular")
            yield array, kinds[0], errors[..., :3], spread[..., :3], far
            yield array, kinds[1], errors[..., 3:], spread[..., 3:], far
        elif not groups:
            yield array, "", errors, spread, far


def _errors(truth: Truth, found: Estimate) -> dict[str, Array]:
    """Found minus true by the names of a trajectory's arrays; bodies and hands in metres from their own middles."""
    hips = truth.body_camera[:, BODY_HIPS].mean(axis=1, keepdims=True)
    hands = found.hands_world - found.hands_world.mean(axis=2, keepdims=True)
    true_hands = truth.hands_camera - truth.hands_camera.mean(axis=2, keepdims=True)
    turned = rotation_vectors(rotation_matrix(found.wrist_pose[..., 3:]) @ np.swapaxes(truth.wrist_rotation, -1, -2))
    moved = found.wrist_pose[..., :3] - truth.hands_camera[:, :, WRIST]
    return {
        "body_image": found.body_pixels - truth.body_pixels,
        "body_world": found.body_world - (truth.body_camera - hips),
        "hands_image": found.hands_pixels - truth.hands_pixels,
        "hands_world": hands - true_hands,
        "wrist_pose": np.concatenate([moved, turned], axis=-1),
        "grip": found.grip - truth.grip,
        "wrist_velocity": velocity_errors(truth, found),
    }
