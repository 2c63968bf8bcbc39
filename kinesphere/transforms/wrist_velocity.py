"""How fast wrists move and turn: derived when a trajectory is read, from its poses alone.

Trajectories of extractors that smooth over the whole clip have an array `wrist_velocity` of the same shape, units and
axes, which was found together with the poses, and is the better one. This is for those that have none.

It takes an episode's arrays, or a batch's with any number of axes before the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import inverse, product, rotation_vector


def wrist_velocity(timestamp: NDArray[np.int64], wrist_pose: NDArray[np.floating]) -> NDArray[np.float32]:
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
        turned = rotation_vector(product(poses[1:, ..., 3:], inverse(poses[:-1, ..., 3:])))
        found[..., 3:] = _joined(_after(turned / step), _before(turned / step), step)
        found[np.isnan(poses).any(axis=-1)] = np.nan
    return np.moveaxis(found, 0, -3).astype(np.float32)


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
