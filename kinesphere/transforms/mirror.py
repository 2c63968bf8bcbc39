"""Mirrors batches: what a camera would have seen, and what would have been found in it, with left and right swapped.

How each array is mirrored. M = diag(-1, 1, 1) is the reflection in the plane of y and z of the camera's frame.

* Pictures and image coordinates: x becomes 1 - x. Model coordinates (`*_world`): x becomes -x.
* A left hand becomes a right one: the two entries of every hand axis, the left and right landmarks of the body, and
  the bits of `valid` for the hands change places.
* `wrist_pose`: positions become M p. The palm's axes (see `pose.geometry.wrist`) are x along the fingers, z out of
  the palm, which is the cross product of the index and little finger's directions, taken in the other order for the
  other hand, and y = z cross x. The mirrored hand's landmarks are M times these. So its x axis is M x. Its z axis is
  the cross product of two mirrored vectors, which is -M times theirs since det M = -1, in the other order, which
  is the second minus sign: M z. And y = z cross x becomes -M y. So the rotation matrix R = [x y z] becomes
  M R D with D = diag(1, -1, 1), which is a rotation again. Now M R D = (M R M)(M D). If R has the quaternion
  w x y z, M R M turns about the mirrored axis by the opposite angle: w x -y -z. M D = diag(-1, -1, 1) is half a turn
  about z, 0 0 0 1. Their product is (z, -y, -x, w): the same four numbers, so no rounding takes place.
* `wrist_velocity`: velocities become M v. A turn about an axis becomes one about the mirrored axis by the opposite
  angle, so angular velocities become -M w.
* Standard deviations (`*_sd`) and the weights made of them change places with their numbers; they have no sign.
* `action`, T(t)^-1 T(t+k): the rotation A = R(t)^T R(t+k) becomes D A D, the translation R(t)^T (p(t+k) - p(t))
  becomes D times it: signs again. As a quaternion D A D turns about D times the axis by the opposite angle: w -x y -z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ARRAYS, BODY_LANDMARKS, Valid
from kinesphere.transforms.transform import Batch


def _other_side(landmark: str) -> str:
    if "left" in landmark:
        return landmark.replace("left", "right")
    return landmark.replace("right", "left")


_BODY = np.array([BODY_LANDMARKS.index(_other_side(name)) for name in BODY_LANDMARKS])
_TO_LEFT_OR_RIGHT = int(Valid.LEFT_HAND | Valid.RIGHT_HAND)
_VELOCITY_SIGNS = np.array([-1, 1, 1, 1, -1, -1], np.float32)
_POSE_FROM = np.array([0, 1, 2, 6, 5, 4, 3])
_POSE_SIGNS = np.array([-1, 1, 1, 1, -1, -1, 1], np.float32)
_ROTATION_SIGNS = {
    "6d": [1, -1, 1, -1, 1, -1],
    "quaternion": [1, -1, 1, -1],
    "matrix": [1, -1, 1, -1, 1, -1, 1, -1, 1],
}
_ACTION_SIGNS = {
    3 + len(signs) + len(grip): np.array([1, -1, 1, *signs, *grip], np.float32)
    for signs in _ROTATION_SIGNS.values()
    for grip in ([], [1])
}
"""By how many numbers an action has."""


@dataclass(frozen=True)
class Mirror:
    """Mirrors some windows, with all their arrays and their video: left becomes right.

    Mirroring a recording and extracting it gives what mirroring its trajectory gives, up to what the networks make of
    a mirrored picture and to the sign of a quaternion, which turns nothing. Twice is the same again to the last bit
    for values as they are stored; values in between, as after resampling, come back to within 1e-7.

    To be used before `Normalize` and `Masks`, and before or after `RelativeActions`. Texts stay as they are, also where
    they speak of a left hand.

    Raises:
        InvalidInput: the probability is not from 0 to 1, the seed is negative, or a batch has an array of which it is
            not known how to mirror it, or fixed-point numbers.
    """

    probability: float = 0.5
    """The share of windows that are mirrored."""
    seed: int = 0
    """Together with `episode` and `frame` of a window it decides, in whatever batch the window comes. So a window that
    comes again meets the same fate; give each epoch a seed of its own to have it otherwise."""
    keys: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InvalidInput(f"probability should be from 0 to 1, got {self.probability}")
        if self.seed < 0:
            raise InvalidInput(f"seed should be at least 0, got {self.seed}")

    def __call__(self, batch: Batch) -> Batch:
        """The batch with some of its windows mirrored."""
        unknown = sorted(name for name in set(batch) - set(_MIRRORED) - _THE_SAME if batch[name].dtype.kind != "U")
        if unknown:
            raise InvalidInput(f"it is not known how to mirror {', '.join(unknown)}; put Mirror before what adds it")
        chosen = self.chosen(batch["episode"], batch["frame"])
        mirrored = {}
        for name, mirror in _MIRRORED.items():
            if name in batch:
                _check_in_units(name, batch[name])
                mirrored[name] = batch[name].copy()
                mirrored[name][chosen] = mirror(batch[name][chosen])
        return batch | mirrored

    def chosen(self, episode: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which windows are mirrored.

        Args:
            episode: int64 `[B]`, the row of each window's episode.
            frame: int64 `[B]`, the first frame of each window in its episode.

        Returns:
            bool `[B]`.
        """
        mixed = _mixed(np.uint64(self.seed % 2**64))
        for number in (episode, frame):
            mixed = _mixed(mixed ^ number.astype(np.uint64))
        return np.asarray((mixed >> np.uint64(11)) * 2.0**-53 < self.probability, np.bool_)


def _mixed(number: Any) -> Any:
    """64 bits mixed well: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):  # it is meant to
        number = number + np.uint64(0x9E3779B97F4A7C15)
        number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return number ^ (number >> np.uint64(31))


def _check_in_units(name: str, values: NDArray[Any]) -> None:
    if name not in ("valid", "video", "action_mask") and values.dtype != np.float32:
        raise InvalidInput(f"Mirror needs {name} as float32; stream with dtype='float32'")


def _from_right(x: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """1 - x. A multiple of the stored unit gives exactly the multiple that would be stored, whatever it rounds to."""
    unit = np.float32(scale)
    stored = np.rint(x / unit)
    is_stored = stored * unit == x
    return np.where(is_stored, (np.float32(round(1 / scale)) - stored) * unit, np.float32(1) - x)


def _body_image(values: NDArray[Any]) -> NDArray[Any]:
    return _image(values[..., _BODY, :], ARRAYS["body_image"].scale_factor)


def _hands_image(values: NDArray[Any]) -> NDArray[Any]:
    return _image(values[..., ::-1, :, :], ARRAYS["hands_image"].scale_factor)


def _image(values: NDArray[Any], scale: float | None) -> NDArray[Any]:
    assert scale is not None, "image coordinates are fixed-point"
    mirrored = values.copy()
    mirrored[..., 0] = _from_right(values[..., 0], scale)
    return mirrored


def _world(values: NDArray[Any]) -> NDArray[Any]:
    mirrored: NDArray[Any] = values * np.array([-1, 1, 1], np.float32)
    return mirrored


def _valid(values: NDArray[Any]) -> NDArray[Any]:
    left, right = (values & int(Valid.LEFT_HAND)) > 0, (values & int(Valid.RIGHT_HAND)) > 0
    mirrored: NDArray[Any] = (
        values & np.uint8(~_TO_LEFT_OR_RIGHT & 0xFF)
        | right * np.uint8(Valid.LEFT_HAND)
        | left * np.uint8(Valid.RIGHT_HAND)
    )
    return mirrored


def _weight(values: NDArray[Any]) -> NDArray[Any]:
    """Weights of hands, of their landmarks or of the body's landmarks, `(B, T, 2)`, `(B, T, 2, 21)` or `(B, T, 33)`."""
    of_frame = values.shape[2:]
    if of_frame[:1] == (2,):
        return np.flip(values, axis=2)
    if of_frame == (len(_BODY),):
        return values[..., _BODY]
    raise InvalidInput(f"it is not known how to mirror weights of the shape {list(of_frame)} a frame")


def _action(values: NDArray[Any]) -> NDArray[Any]:
    mirrored: NDArray[Any] = values[..., ::-1, :] * _ACTION_SIGNS[values.shape[-1]]
    return mirrored


_MIRRORED: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "body_image": _body_image,
    "body_world": lambda values: _world(values[..., _BODY, :]),
    "body_visibility": lambda values: values[..., _BODY],
    "hands_image": _hands_image,
    "hands_world": lambda values: _world(values[..., ::-1, :, :]),
    "hand_score": lambda values: values[..., ::-1],
    "wrist_pose": lambda values: values[..., ::-1, _POSE_FROM] * _POSE_SIGNS,
    "grip": lambda values: values[..., ::-1],
    "wrist_velocity": lambda values: values[..., ::-1, :] * _VELOCITY_SIGNS,
    "body_image_sd": lambda values: values[..., _BODY, :],
    "body_world_sd": lambda values: values[..., _BODY, :],
    "hands_image_sd": lambda values: values[..., ::-1, :, :],
    "hands_world_sd": lambda values: values[..., ::-1, :, :],
    "wrist_pose_sd": lambda values: values[..., ::-1, :],
    "grip_sd": lambda values: values[..., ::-1],
    "wrist_velocity_sd": lambda values: values[..., ::-1, :],
    "weight": _weight,
    "valid": _valid,
    "action": _action,
    "action_mask": lambda values: values[..., ::-1],
    "video": lambda values: values[..., ::-1, :],
}
_THE_SAME = {"timestamp", "mask", "episode", "frame", "source"}
