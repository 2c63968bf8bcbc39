"""What robots train on, derived when it is read and never stored: velocities, and actions relative to the hand.

Each function takes an episode's arrays, or a batch's with any number of axes before the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

Floats = NDArray[np.floating]


def wrist_velocity(timestamp: NDArray[np.int64], wrist_pose: Floats) -> NDArray[np.float32]:
    """How fast each wrist moves and turns, in the camera frame.

    The derivative is that of the parabola through a frame and its two neighbours on their true times (second order
    for uneven steps, as `numpy.gradient`); beside a gap or an end it is that of the line to the one neighbour. The
    angular velocity is the rotation vector from one neighbour to the other, over the time between them.

    Args:
        timestamp: int64 `(..., T)`, nanoseconds.
        wrist_pose: `(..., T, 2, 7)`, metres (x y z) and a unit quaternion (w x y z), NaN where missing.

    Returns:
        float32 `(..., T, 2, 6)`: metres a second (x y z), radians a second (about x y z); NaN where the hand, or both
        of its neighbours in time, are missing.

    Raises:
        InvalidInput: the shapes do not fit.
    """
    if wrist_pose.shape[-2:] != (2, 7) or wrist_pose.shape[:-2] != timestamp.shape:
        raise InvalidInput(f"wrist_pose should be (..., T, 2, 7) and timestamp (..., T), got {wrist_pose.shape}, "
                           f"{timestamp.shape}")  # fmt: skip
    times = np.moveaxis(timestamp, -1, 0)
    poses = np.moveaxis(wrist_pose, -3, 0).astype(np.float64)
    step = (np.diff(times, axis=0) / 1e9)[..., None, None]
    step = np.where(step > 0, step, np.nan)  # padded frames repeat a time
    found = np.full((*poses.shape[:-1], 6), np.nan)
    if len(poses) > 1:
        found[..., :3] = _joined(*_slopes(poses[..., :3], step), step)
        turned = _rotation_vector(_times(poses[1:, ..., 3:], _inverse(poses[:-1, ..., 3:])))
        found[..., 3:] = _joined(_after(turned / step), _before(turned / step), step)
        found[np.isnan(poses).any(axis=-1)] = np.nan
    return np.moveaxis(found, 0, -3).astype(np.float32)


def relative_actions(wrist_pose: Floats, horizon: int) -> NDArray[np.float32]:
    """Where each wrist will be, seen from where it is: the chunk of the next `horizon` poses for every frame.

    For frame t and step k = 1 .. horizon it is the pose of frame t + k in the wrist's own frame at t, T(t)^-1 T(t+k),
    as UMI trains on (Chi et al., "Universal Manipulation Interface", RSS 2024). `horizon=1` gives next-step actions.

    Args:
        wrist_pose: `(..., T, 2, 7)`, metres (x y z) and a unit quaternion (w x y z), NaN where missing.

    Returns:
        float32 `(..., T, horizon, 2, 9)`: metres (x y z), then the first two columns of the rotation matrix, the
        representation without jumps of Zhou et al. ("On the Continuity of Rotation Representations in Neural
        Networks", CVPR 2019). NaN where either frame is missing or past the end.

    Raises:
        InvalidInput: the shape does not fit, or the horizon is no positive number.
    """
    if wrist_pose.shape[-2:] != (2, 7) or wrist_pose.ndim < 3:
        raise InvalidInput(f"wrist_pose should be (..., T, 2, 7), got {wrist_pose.shape}")
    if horizon < 1:
        raise InvalidInput(f"horizon should be at least 1, got {horizon}")
    poses = wrist_pose.astype(np.float64)
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    rotation = _matrix(poses[..., 3:])
    # rows: the place of the wrist and the first two axes of the palm, all to be turned into the palm's frame at t
    seen = np.stack([poses[..., :3], rotation[..., 0], rotation[..., 1]], axis=-2)
    own = poses[..., None, :3] @ rotation
    frames = poses.shape[-3]
    actions = np.full((*poses.shape[:-2], horizon, 2, 9), np.nan, np.float32)
    for k in range(1, min(horizon, frames - 1) + 1):
        turned = seen[..., k:, :, :, :] @ rotation[..., :-k, :, :, :]
        turned[..., :1, :] -= own[..., :-k, :, :, :]
        actions[..., :-k, k - 1, :, :] = turned.reshape(*turned.shape[:-2], 9)
    return actions


def _slopes(values: NDArray[np.float64], step: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each frame the slope to the next one and from the one before; NaN where there is none."""
    slope = np.diff(values, axis=0) / step
    return _after(slope), _before(slope)


def _after(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([slope, np.full_like(slope[:1], np.nan)])


def _before(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.full_like(slope[:1], np.nan), slope])


def _joined(after: NDArray[np.float64], before: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of both slopes, each weighted by the other's step; the one that there is beside a gap."""
    step_after, step_before = _after(step), _before(step)
    both: NDArray[np.float64] = (after * step_before + before * step_after) / (step_after + step_before)
    return np.asarray(np.where(np.isfinite(both), both, np.where(np.isfinite(after), after, before)), np.float64)


def _times(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton's product of quaternions w x y z."""
    a, b = first[..., :1], second[..., :1]
    u, v = first[..., 1:], second[..., 1:]
    real = a * b - (u * v).sum(axis=-1, keepdims=True)
    return np.concatenate([real, a * v + b * u + np.cross(u, v)], axis=-1)


def _inverse(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse: NDArray[np.float64] = quaternion * np.array([1.0, -1.0, -1.0, -1.0])
    return inverse


def _rotated(quaternion: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = 2 * np.cross(quaternion[..., 1:], vector)
    rotated: NDArray[np.float64] = vector + quaternion[..., :1] * turn + np.cross(quaternion[..., 1:], turn)
    return rotated


def _matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices `(..., 3, 3)`."""
    columns = [_rotated(quaternion, np.broadcast_to(axis, (*quaternion.shape[:-1], 3))) for axis in np.eye(3)]
    return np.stack(columns, axis=-1)


def _rotation_vector(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shorter rotation of a quaternion as axis times angle, radians."""
    quaternion = quaternion * np.where(quaternion[..., :1] < 0, -1.0, 1.0)
    length = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quaternion[..., :1])
    scale = np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 1e-12)
    vector: NDArray[np.float64] = quaternion[..., 1:] * scale
    return vector
