"""Where values are missing, a mask an array; and something in their place, for models that bear no NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ARRAYS
from kinesphere.transforms.transform import Batch

MASK = "_mask"
_OF_ONE_POINT = ("xyz", "xyz_rotation", "pose")
"""The last axes whose numbers are missing together."""


@dataclass(frozen=True)
class Masks:
    """Adds "<name>_mask" for every float32 array of a batch: bool, True where there is a value.

    Numbers of one point or pose share one: "wrist_pose_mask" is `[B, W, 2]`, "body_world_mask" `[B, W, 33]`,
    "grip_mask" `[B, W, 2]` and "action_mask" `[B, W, horizon, 2]`; masks of arrays of your own have all their axes.
    `mask` itself says which frames a window has, not what was found in them.

    To be used last: with `fill`, missing values are replaced, and other transforms would take them for values.

    Raises:
        InvalidInput: `fill` is neither a number nor "hold".
    """

    fill: float | Literal["hold"] | None = None
    """What missing values become: a number such as 0.0, or "hold", which repeats the last value before, in the order of
    frames (of steps, in the actions of one frame), and gives 0 where there is none. They stay NaN by default."""

    def __post_init__(self) -> None:
        fill: Any = self.fill
        if fill is not None and fill != "hold" and not (isinstance(fill, int | float) and math.isfinite(fill)):
            raise InvalidInput(f"fill should be a number, 'hold' or None, got {fill!r}")

    def __call__(self, batch: Batch) -> Batch:
        """The batch with masks, and with what takes the place of missing values."""
        found = dict(batch)
        for name, values in batch.items():
            if values.dtype != np.float32 or name == "weight":
                continue
            there = np.logical_not(np.isnan(values))
            is_point = name == "action" or (name in ARRAYS and ARRAYS[name].dimensions[-1] in _OF_ONE_POINT)
            found[f"{name}{MASK}"] = np.asarray(there.all(axis=-1)) if is_point else there
            if self.fill == "hold":
                found[name] = held(values, there)
            elif self.fill is not None:
                found[name] = np.where(there, values, np.float32(self.fill))
        return found


def held(values: NDArray[np.float32], there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Repeat the last value before where one is missing.

    Args:
        values: float32 `[B, W, ...]`.
        there: bool of the same shape, False where one is missing.

    Returns:
        float32 of the same shape, 0 where none came before.
    """
    frame = np.arange(values.shape[1]).reshape(1, -1, *(1 for _ in values.shape[2:]))
    last = np.maximum.accumulate(np.where(there, frame, -1), axis=1)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last < 0, np.float32(0), found)
