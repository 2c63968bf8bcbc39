"""Plays windows faster or slower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.streaming.resampling import slerp
from kinesphere.transforms.transform import Batch
from kinesphere.transforms.window_randomness import checked_seed, window_generators

_PURPOSE = 3
_OF_WINDOWS = ("episode", "frame", "source")
_SPEEDS = ("wrist_velocity", "wrist_velocity_sd")


@dataclass(frozen=True)
class TimeWarp:
    """Plays each window at a speed of its own, about the frame `at`, which stays.

    Numbers are interpolated as with a `rate`, from the frames of the window alone: linearly, rotations along the arc,
    flags, scores and video from the nearer frame, and velocities are multiplied by the speed. A faster window runs out
    of frames at its ends: those are padding then, `mask` False. Stream some `history` and `future` more to have them.
    `timestamp` stays, as if the motion had been recorded so. To be used before `RelativeActions`.

    Raises:
        InvalidInput: `most` is not from 0 to less than 1, the seed is negative, there is no frame `at`, or a batch has
            actions, or fixed-point numbers.
    """

    most: float = 0.2
    """Speeds are from 1 / (1 + most) to 1 + most, their logarithms equally likely."""
    at: int = 0
    """The frame of the window that stays where it is, such as the current one; counted from the end if negative."""
    seed: int = 0
    """Together with `episode` and `frame` of a window it decides; give each epoch one of its own."""

    def __post_init__(self) -> None:
        if not 0 <= self.most < 1:
            raise InvalidInput(f"most should be from 0 to less than 1, got {self.most}")
        checked_seed(self.seed)

    def __call__(self, batch: Batch) -> Batch:
        """The batch at other speeds."""
        frames = batch["mask"].shape[1]
        if not -frames <= self.at < frames:
            raise InvalidInput(f"there is no frame {self.at} among {frames}; at counts frames of the window, from 0")
        odd = sorted(name for name, values in batch.items() if name == "action" or values.dtype == np.int16)
        if odd:
            raise InvalidInput(f"TimeWarp cannot play {odd[0]}: put it before RelativeActions, and stream float32")
        speed = self.speeds(batch)
        place = self.at % frames + speed[:, None] * (np.arange(frames) - self.at % frames)
        found = dict(batch)
        for name, values in batch.items():
            if name in (*_OF_WINDOWS, "timestamp") or values.dtype.kind == "U":
                continue
            found[name] = _played(name, values, place)
            if name in _SPEEDS:
                found[name] *= speed.astype(np.float32)[:, None, None, None]
        return found

    def speeds(self, batch: Batch) -> NDArray[np.float64]:
        """The speed of each window.

        Args:
            batch: with "episode" and "frame".

        Returns:
            float64 `[B]`; above 1 is faster.
        """
        drawn = [generator.uniform(-1, 1) for generator in window_generators(batch, self.seed, _PURPOSE)]
        return np.asarray((1 + self.most) ** np.array(drawn), np.float64)


def _played(name: str, values: NDArray[Any], place: NDArray[np.float64]) -> NDArray[Any]:
    """What an array `[B, W, ...]` is at some places in time `[B, W]`, counted in frames of the window."""
    last = values.shape[1] - 1
    before = np.clip(np.floor(place + 1e-9), 0, last).astype(np.int64)
    after = np.minimum(before + 1, last)
    outside = (place < -1e-9) | (place > last + 1e-9)
    row = np.arange(len(values))[:, None]
    if values.dtype != np.float32:
        nearest = values[row, np.where(place - before < 0.5, before, after)]
        nearest[outside] = 0
        return nearest
    share = np.clip(place - before, 0, 1).reshape(*place.shape, *(1 for _ in values.shape[2:]))
    left, right = values[row, before], np.where(share > 1e-9, values[row, after], values[row, before])
    found: NDArray[np.float32] = (left + share * (right - left)).astype(np.float32)
    if name == "wrist_pose":
        between = slerp(left[..., 3:], right[..., 3:], share)
        found[..., 3:] = np.where(share > 1e-9, between, left[..., 3:])
    found[outside] = 0 if name == "weight" else np.nan
    return found
