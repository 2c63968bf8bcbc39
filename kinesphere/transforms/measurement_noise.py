"""Noise as large as the extractor says that its errors are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import product
from kinesphere.transforms.transform import Batch, check_arrays
from kinesphere.transforms.window_randomness import checked_seed, normal_numbers, window_generators

_PURPOSE = 2
_SD = "_sd"


@dataclass(frozen=True)
class MeasurementNoise:
    """Adds normal noise to every array whose standard deviations (`*_sd`) are in the batch, number by number.

    Of `wrist_pose` the place gets noise, and the rotation a small turn about the camera's axes. Each frame gets noise
    of its own. Stream the deviations too: `keys=["wrist_pose", "wrist_pose_sd"]`. To be used before `Normalize` and
    `RelativeActions`.

    Raises:
        InvalidInput: the scale or the seed is negative, or a batch has no standard deviations, or already actions.
    """

    scale: float = 1.0
    """What the deviations are multiplied by."""
    seed: int = 0
    """Together with `episode` and `frame` of a window it decides; give each epoch one of its own."""

    def __post_init__(self) -> None:
        if not 0 <= self.scale < float("inf"):
            raise InvalidInput(f"scale should be at least 0, got {self.scale}")
        checked_seed(self.seed)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with noise."""
        names = sorted(name for name in batch if f"{name}{_SD}" in batch)
        if not names:
            raise InvalidInput("MeasurementNoise needs standard deviations: stream keys such as wrist_pose_sd too")
        if "action" in batch:
            raise InvalidInput("put MeasurementNoise before RelativeActions, so that actions are of the same motion")
        check_arrays(batch, [each for name in names for each in (name, f"{name}{_SD}")], "MeasurementNoise")
        generators = window_generators(batch, self.seed, _PURPOSE)
        found = dict(batch)
        for name in names:
            deviations = batch[f"{name}{_SD}"]
            noise = normal_numbers(generators, deviations.shape[1:]) * deviations * np.float32(self.scale)
            found[name] = _turned(batch[name], noise) if name == "wrist_pose" else batch[name] + noise
        return found


def _turned(poses: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    vector = noise[..., 3:].astype(np.float64)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    axis = np.divide(vector, angle, out=np.zeros_like(vector), where=angle > 0)
    turn = np.concatenate([np.cos(angle / 2), np.sin(angle / 2) * axis], axis=-1)
    rotation = product(turn, poses[..., 3:].astype(np.float64))
    return np.concatenate([poses[..., :3] + noise[..., :3], rotation.astype(np.float32)], axis=-1)
