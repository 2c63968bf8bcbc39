"""Rotations as unit quaternions w x y z: products, and what they are as matrices and vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton's product: the rotation by `second`, then by `first`.

    Args:
        first: `(..., 4)`.
        second: `(..., 4)`.

    Returns:
        float64 `(..., 4)`.
    """
    a, b = first[..., :1], second[..., :1]
    u, v = first[..., 1:], second[..., 1:]
    real = a * b - (u * v).sum(axis=-1, keepdims=True)
    return np.concatenate([real, a * v + b * u + np.cross(u, v)], axis=-1)


def inverse(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The opposite rotation.

    Args:
        quaternion: `(..., 4)`.

    Returns:
        float64 `(..., 4)`.
    """
    conjugate: NDArray[np.float64] = quaternion * np.array([1.0, -1.0, -1.0, -1.0])
    return conjugate


def rotation_matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation as a matrix.

    Args:
        quaternion: `(..., 4)`.

    Returns:
        float64 `(..., 3, 3)`.
    """
    columns = [_rotated(quaternion, np.broadcast_to(axis, (*quaternion.shape[:-1], 3))) for axis in np.eye(3)]
    return np.stack(columns, axis=-1)


def rotation_vector(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, the shorter way round, as its axis times its angle.

    Args:
        quaternion: `(..., 4)`.

    Returns:
        float64 `(..., 3)`, radians.
    """
    quaternion = quaternion * np.where(quaternion[..., :1] < 0, -1.0, 1.0)
    length = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quaternion[..., :1])
    scale = np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 1e-12)
    vector: NDArray[np.float64] = quaternion[..., 1:] * scale
    return vector


def _rotated(quaternion: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = 2 * np.cross(quaternion[..., 1:], vector)
    rotated: NDArray[np.float64] = vector + quaternion[..., :1] * turn + np.cross(quaternion[..., 1:], turn)
    return rotated
