"""Actions relative to the hand, which robots train on: derived when a trajectory is read, and never stored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import rotation_matrix
from kinesphere.transforms.transform import Batch, check_arrays


def relative_actions(wrist_pose: NDArray[np.floating], horizon: int) -> NDArray[np.float32]:
    """Where each wrist will be, seen from where it is: the chunk of the next `horizon` poses for every frame.

    For frame t and step k = 1 .. horizon it is the pose of frame t + k in the wrist's own frame at t, T(t)^-1 T(t+k),
    as UMI trains on (Chi et al., "Universal Manipulation Interface", RSS 2024). `horizon=1` gives next-step actions.

    Args:
        wrist_pose: `(..., T, 2, 7)`, metres (x y z) and a unit quaternion (w x y z), NaN where missing.
        horizon: how many steps ahead a chunk goes; at least 1.

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
    rotation = rotation_matrix(poses[..., 3:])
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


@dataclass(frozen=True)
class RelativeActions:
    """Adds "action": where each wrist will be, seen from where it is; see `relative_actions`.

    float32 `[B, T, horizon, 2, 9]`, NaN where either frame is missing or past the end of the window; `horizon=1` gives
    next-step actions. Let windows be longer by the horizon than what is learned from.

    Raises:
        InvalidInput: the horizon is no positive number, or a batch has no wrist_pose.
    """

    horizon: int
    keys: tuple[str, ...] = field(default=("wrist_pose",), init=False)

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise InvalidInput(f"horizon should be at least 1, got {self.horizon}")

    def __call__(self, batch: Batch) -> Batch:
        """Add "action" to a batch; see the class."""
        check_arrays(batch, self.keys, "RelativeActions")
        return batch | {"action": relative_actions(batch["wrist_pose"], self.horizon)}
