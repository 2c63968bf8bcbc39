"""Actions relative to the hand, which robots train on: derived when a trajectory is read, and never stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import product, rotation_matrix
from kinesphere.transforms.rotations import NUMBERS, Form, checked_form, convert_rotation, rotation_numbers
from kinesphere.transforms.transform import Batch, check_arrays


def relative_actions(
    wrist_pose: NDArray[np.floating],
    horizon: int,
    *,
    at: int | None = None,
    grip: NDArray[np.floating] | None = None,
    rotation: Form = "6d",
) -> NDArray[np.float32]:
    """Where each wrist will be, seen from where it is: the chunk of the next `horizon` poses for every frame.

    For frame t and step k = 1 .. horizon it is the pose of frame t + k in the wrist's own frame at t, T(t)^-1 T(t+k),
    as UMI trains on (Chi et al., "Universal Manipulation Interface", RSS 2024). `horizon=1` gives next-step actions.

    Args:
        wrist_pose: `(..., T, 2, 7)`, metres (x y z) and a unit quaternion (w x y z), NaN where missing.
        horizon: how many steps ahead a chunk goes; at least 1.
        at: the one frame whose chunk is wanted, such as the current one; counted from the end if negative. All frames
            by default.
        grip: `(..., T, 2)`; the grip at t + k, as it is, is then the last number of each action.
        rotation: in which form rotations come; see `convert_rotation`.

    Returns:
        float32 `(..., T, horizon, 2, n)`, without T where `at` is given: metres (x y z), then the rotation, by default
        the first two columns of its matrix, so n is 9 ("quaternion" 7, "matrix" 12), or one more with the grip. NaN
        where either frame is missing or past the end.

    Raises:
        InvalidInput: a shape does not fit, the horizon is no positive number, or there is no frame `at`.
    """
    rotation = checked_form(rotation)
    if wrist_pose.shape[-2:] != (2, 7) or wrist_pose.ndim < 3:
        raise InvalidInput(f"wrist_pose should be (..., T, 2, 7), got {wrist_pose.shape}")
    if horizon < 1:
        raise InvalidInput(f"horizon should be at least 1, got {horizon}")
    if grip is not None and grip.shape != wrist_pose.shape[:-1]:
        raise InvalidInput(f"grip should be {list(wrist_pose.shape[:-1])}, got {list(grip.shape)}")
    frames = wrist_pose.shape[-3]
    first = slice(None)
    if at is not None:
        if not -frames <= at < frames:
            raise InvalidInput(f"there is no frame {at} among {frames}; at counts frames of the window, from 0")
        start = at % frames
        first, wrist_pose = slice(0, 1), wrist_pose[..., start : start + horizon + 1, :, :]
        grip = None if grip is None else grip[..., start : start + horizon + 1, :]
    actions = _chunks(wrist_pose, horizon, first, rotation, grip)
    return actions if at is None else actions[..., 0, :, :, :]


def _chunks(
    wrist_pose: NDArray[np.floating], horizon: int, first: slice, rotation: Form, grip: NDArray[np.floating] | None
) -> NDArray[np.float32]:
    """The chunks of the frames in `first`, in which all or only the first one are."""
    poses = wrist_pose.astype(np.float64)
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    turn = rotation_matrix(poses[..., 3:])
    # rows: the place of the wrist and the first two axes of the palm, all to be turned into the palm's frame at t
    seen = np.stack([poses[..., :3], turn[..., 0], turn[..., 1]], axis=-2)
    own = poses[..., None, :3] @ turn
    frames = poses.shape[-3]
    numbers = 3 + NUMBERS[rotation] + (grip is not None)
    chunks = frames if first == slice(None) else 1
    actions = np.full((*poses.shape[:-3], chunks, horizon, 2, numbers), np.nan, np.float32)
    for k in range(1, min(horizon, frames - 1) + 1):
        there = slice(k, k + 1) if chunks == 1 else slice(k, None)
        here = slice(0, 1) if chunks == 1 else slice(0, frames - k)
        turned = seen[..., there, :, :, :] @ turn[..., here, :, :, :]
        turned[..., :1, :] -= own[..., here, :, :, :]
        step = actions[..., here, k - 1, :, :]
        step[..., :3] = turned[..., 0, :]
        step[..., 3 : 3 + NUMBERS[rotation]] = _form(turned, rotation)
        if grip is not None:
            step[..., -1] = grip[..., there, :]
            step[np.isnan(step).any(axis=-1)] = np.nan
    return actions


def _form(turned: NDArray[np.float64], rotation: Form) -> NDArray[np.float64]:
    """The rotation of which rows 1 and 2 are the first two columns."""
    if rotation == "6d":
        return turned[..., 1:, :].reshape(*turned.shape[:-2], 6)
    columns = [turned[..., 1, :], turned[..., 2, :], np.cross(turned[..., 1, :], turned[..., 2, :])]
    return rotation_numbers(np.stack(columns, axis=-1), rotation)


def absolute_poses(
    pose: NDArray[np.floating], action: NDArray[np.floating], rotation: Form = "6d"
) -> NDArray[np.float32]:
    """The poses that relative actions lead to: what a robot is sent. The inverse of `relative_actions`.

    Args:
        pose: `(..., 2, 7)`, where the wrists are now.
        action: `(..., horizon, 2, n)`, as a policy gives them, in units; a last number for the grip is passed over.
        rotation: in which form they have rotations.

    Returns:
        float32 `(..., horizon, 2, 7)`, metres (x y z) and a unit quaternion (w x y z); NaN where either is missing.

    Raises:
        InvalidInput: a shape does not fit.
    """
    numbers = 3 + NUMBERS[checked_form(rotation)]
    if pose.shape[-2:] != (2, 7) or action.shape[-2:-1] != (2,) or action.shape[-1] not in (numbers, numbers + 1):
        raise InvalidInput(
            f"pose should be (..., 2, 7) and action (..., horizon, 2, {numbers}), got {list(pose.shape)} and "
            f"{list(action.shape)}"
        )
    now = pose.astype(np.float64)[..., None, :, :]
    turn = convert_rotation(action[..., 3:numbers], rotation, "quaternion").astype(np.float64)
    place = now[..., :3] + (rotation_matrix(now[..., 3:]) @ action[..., :3, None].astype(np.float64))[..., 0]
    found = np.concatenate([place, product(np.broadcast_to(now[..., 3:], turn.shape), turn)], axis=-1)
    found[np.isnan(found).any(axis=-1)] = np.nan
    return found.astype(np.float32)


@dataclass(frozen=True)
class RelativeActions:
    """Adds "action": where each wrist will be, seen from where it is; see `relative_actions`.

    float32 `[B, T, horizon, 2, 9]`, NaN where either frame is missing or past the end of the window; `horizon=1` gives
    next-step actions. Let windows be longer by the horizon than what is learned from. With `at`, only the actions of
    that frame, `[B, horizon, 2, 9]`: `at=15` where `history=15`, `window=1` and `future` is the horizon.

    "action_mask", bool of the same shape without the last axis, is True where there is an action; `mask` only tells
    where a window has frames.

    Raises:
        InvalidInput: the horizon is no positive number, there is no such form of rotations, or a batch has no
            wrist_pose, or no grip where it is wanted.
    """

    horizon: int
    at: int | None = None
    """The frame of the window whose actions are wanted; all by default."""
    grip: bool = False
    """Whether the grip at the time is the last number of each action."""
    rotation: Form = "6d"
    """In which form rotations come: "6d", "quaternion" or "matrix"."""

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise InvalidInput(f"horizon should be at least 1, got {self.horizon}")
        checked_form(self.rotation)

    @property
    def numbers(self) -> int:
        """How many numbers an action of one hand has."""
        return 3 + NUMBERS[self.rotation] + self.grip

    @property
    def keys(self) -> tuple[str, ...]:
        """The arrays that it needs."""
        return ("wrist_pose", "grip") if self.grip else ("wrist_pose",)

    def __call__(self, batch: Batch) -> Batch:
        """Add "action" and "action_mask" to a batch; see the class."""
        check_arrays(batch, self.keys, "RelativeActions")
        grip = batch["grip"] if self.grip else None
        action = relative_actions(batch["wrist_pose"], self.horizon, at=self.at, grip=grip, rotation=self.rotation)
        return batch | {"action": action, "action_mask": np.asarray(np.isfinite(action).all(axis=-1))}
