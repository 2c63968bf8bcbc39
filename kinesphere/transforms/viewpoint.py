"""Looks at a motion from another side: what a camera would have measured that stands elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import product, rotation_matrix
from kinesphere.transforms.transform import Batch, check_arrays
from kinesphere.transforms.window_randomness import checked_seed, window_generators

_PURPOSE = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Viewpoint:
    """Turns each window about the middle of its wrists' places, by a random rotation of its own.

    Places, poses, velocities and model coordinates (`*_world`) turn, and standard deviations with them, as if errors of
    x, y and z were independent. Relative actions stay the same, which is why policies trained on them need this less.
    What a picture shows cannot be turned: leave out `*_image` and video.

    Raises:
        InvalidInput: the angle is not from 0 to 180, the seed is negative, or a batch has an array of which it is not
            known how to turn it.
    """

    degrees: float = 15.0
    """The largest angle; smaller ones are as likely, about axes of any direction."""
    seed: int = 0
    """Together with `episode` and `frame` of a window it decides; give each epoch one of its own."""

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise InvalidInput(f"degrees should be from 0 to 180, got {self.degrees}")
        checked_seed(self.seed)

    def __call__(self, batch: Batch) -> Batch:
        """The batch from other sides."""
        known = set(_TURNED) | _THE_SAME
        unknown = sorted(name for name in set(batch) - known if batch[name].dtype.kind != "U")
        if unknown:
            raise InvalidInput(f"it is not known how to turn {', '.join(unknown)}; leave it out of keys")
        names = [name for name in _TURNED if name in batch]
        check_arrays(batch, names, "Viewpoint")
        quaternion = self.rotations(batch)
        matrix = rotation_matrix(quaternion)
        turned = {name: _TURNED[name](batch[name].astype(np.float64), quaternion, matrix) for name in names}
        return batch | {name: values.astype(np.float32) for name, values in turned.items()}

    def rotations(self, batch: Batch) -> Floats:
        """The rotation of each window.

        Args:
            batch: with "episode" and "frame".

        Returns:
            float64 `[B, 4]`, unit quaternions w x y z.
        """
        drawn = [
            (generator.standard_normal(3), generator.random())
            for generator in window_generators(batch, self.seed, _PURPOSE)
        ]
        axis = np.array([axis for axis, _ in drawn]).reshape(-1, 3)
        axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
        half = np.radians(self.degrees) * np.array([share for _, share in drawn])[:, None] / 2
        return np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1)


def _points(values: Floats, quaternion: Floats, matrix: Floats) -> Floats:
    """`(B, ..., 3)` turned about the origin."""
    return np.asarray(np.einsum("bij,b...j->b...i", matrix, values))


def _pose(values: Floats, quaternion: Floats, matrix: Floats) -> Floats:
    places = values[..., :3]
    there = np.isfinite(places).all(axis=-1, keepdims=True)
    count = np.maximum(there.sum(axis=(1, 2), keepdims=True), 1)
    middle = np.where(there, places, 0).sum(axis=(1, 2), keepdims=True) / count
    turn = np.broadcast_to(quaternion[:, None, None], (*values.shape[:-1], 4))
    turned = _points(places - middle, quaternion, matrix) + middle
    return np.concatenate([turned, product(turn, values[..., 3:])], axis=-1)


def _two_vectors(values: Floats, quaternion: Floats, matrix: Floats) -> Floats:
    vectors = values.reshape(*values.shape[:-1], 2, 3)
    return _points(vectors, quaternion, matrix).reshape(values.shape)


def _deviations(values: Floats, quaternion: Floats, matrix: Floats) -> Floats:
    """Of points, or of places and turns: the diagonal of the turned covariance."""
    squares = np.square(values).reshape(*values.shape[:-1], -1, 3)
    return np.sqrt(_points(squares, quaternion, np.square(matrix))).reshape(values.shape)


_TURNED: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "wrist_pose": _pose,
    "wrist_velocity": _two_vectors,
    "body_world": _points,
    "hands_world": _points,
    "wrist_pose_sd": _deviations,
    "wrist_velocity_sd": _deviations,
    "body_world_sd": _deviations,
    "hands_world_sd": _deviations,
}
_THE_SAME: set[Any] = {
    "timestamp", "mask", "episode", "frame", "source", "valid", "grip", "grip_sd", "hand_score", "body_visibility",
    "weight", "action", "action_mask",
}  # fmt: skip
