"""What was found in a clip, by whatever way, in the units of the truth: pixels, metres, radians."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import Trajectory, Valid
from kinesphere.transforms.quaternions import rotation_vector
from kinesphere.transforms.rotations import rotation_numbers

Array = NDArray[np.float64]

SPREADS = (
    "body_image_sd", "body_world_sd", "hands_image_sd", "hands_world_sd", "wrist_pose_sd", "grip_sd",
    "wrist_velocity_sd",
)  # fmt: skip
"""Arrays of a trajectory that say how uncertain another is, as standard deviations."""


@dataclass(frozen=True)
class Estimate:
    """What one way found, a row a frame; NaN where it found nothing. Hands are left, then right."""

    body_pixels: Array
    """(frames, 33, 2)."""
    hands_pixels: Array
    """(frames, 2, 21, 2)."""
    body_world: Array
    """(frames, 33, 3) in metres, from the middle of the hips."""
    hands_world: Array
    """(frames, 2, 21, 3) in metres, from the middle of the hand."""
    wrist_pose: Array
    """(frames, 2, 7): x y z in metres in the camera's frame and a quaternion w x y z."""
    grip: Array
    """(frames, 2)."""
    hand_found: NDArray[np.bool_]
    """(frames, 2): said to be seen, not filled in."""
    velocity: Array | None = None
    """(frames, 2, 6) of the wrist in m/s and rad/s in the camera's frame, where the way says so."""
    spreads: dict[str, Array] = field(default_factory=dict)
    """Standard deviations by the names in `SPREADS`, those of positions in the picture in pixels."""
    core_seconds: float = float("nan")
    """Processor time that it took, a frame."""

    def __len__(self) -> int:
        return len(self.body_pixels)


_KEPT = tuple(one.name for one in fields(Estimate) if one.name not in ("velocity", "spreads"))


def of_trajectory(trajectory: Trajectory, core_seconds: float = float("nan")) -> Estimate:
    """A trajectory as an estimate.

    Args:
        trajectory: what an extractor gave.
        core_seconds: what it took, a frame.

    Returns:
        The estimate; arrays that the trajectory lacks are NaN.
    """
    frames, arrays = len(trajectory), trajectory.arrays
    size = np.array([trajectory.image_width, trajectory.image_height], np.float64)

    def array(name: str, *shape: int) -> Array:
        return np.asarray(arrays[name], np.float64) if name in arrays else np.full((frames, *shape), np.nan)

    valid = np.asarray(arrays["valid"])
    spreads = {name: np.asarray(arrays[name], np.float64) for name in SPREADS if name in arrays}
    for name in ("body_image_sd", "hands_image_sd"):
        if name in spreads:
            spreads[name] = spreads[name][..., :2] * size
    return Estimate(
        array("body_image", 33, 3)[..., :2] * size,
        array("hands_image", 2, 21, 3)[..., :2] * size,
        array("body_world", 33, 3),
        array("hands_world", 2, 21, 3),
        array("wrist_pose", 2, 7),
        array("grip", 2),
        np.stack([valid & Valid.LEFT_HAND != 0, valid & Valid.RIGHT_HAND != 0], axis=1),
        np.asarray(arrays["wrist_velocity"], np.float64) if "wrist_velocity" in arrays else None,
        spreads,
        core_seconds,
    )


def rotation_vectors(matrices: Array) -> Array:
    """(..., 3) axis times angle in radians of rotations (..., 3, 3), also near half a turn; NaN where they are."""
    return rotation_vector(rotation_numbers(matrices, "quaternion"))


def save_estimate(estimate: Estimate, path: Path) -> None:
    """Write an estimate without velocity and standard deviations into an `.npz` file, whole or not at all.

    Args:
        estimate: what to keep.
        path: the file to write.
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    np.savez_compressed(partial, **{name: getattr(estimate, name) for name in _KEPT})
    partial.replace(path)


def load_estimate(path: Path) -> Estimate:
    """Read what `save_estimate` wrote.

    Args:
        path: the `.npz` file.

    Returns:
        The estimate.
    """
    with np.load(path) as arrays:
        took = float(arrays["core_seconds"])
        return Estimate(**{name: arrays[name] for name in _KEPT if name != "core_seconds"}, core_seconds=took)
