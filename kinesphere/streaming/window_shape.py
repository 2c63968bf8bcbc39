"""How long windows are and how far apart, in frames or, where there is a rate, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from kinesphere.errors import InvalidInput

Length = int | float | timedelta
"""Whole numbers are frames; other numbers, and `timedelta`, are seconds."""

LOWEST_RATE, HIGHEST_RATE = 0.001, 1000.0
"""Frames per second between which `rate` may be."""

ROUNDED_FRAMES = 0.05
"""How far seconds may be from whole frames: written-off decimals (0.333 s at 30 frames/s) are meant, 9.9 frames not."""


@dataclass(frozen=True)
class WindowShape:
    """A window with what comes along before and after it, all in frames."""

    window: int
    stride: int
    history: int
    future: int

    @property
    def frames(self) -> int:
        """Frames of a window with what comes along."""
        return self.history + self.window + self.future

    @classmethod
    def of(cls, window: Length, stride: Length, history: Length, future: Length, rate: float | None) -> WindowShape:
        """The shape that arguments of `Dataset.stream` mean.

        Args:
            window: length of a window.
            stride: between the beginnings of successive windows of an episode.
            history: what comes along before a window.
            future: what comes along after it.
            rate: frames per second; without it lengths have to be whole frames.

        Returns:
            The same in frames.

        Raises:
            InvalidInput: one is too small, is seconds without a rate, or is no whole number of frames at the rate.
        """
        return cls(
            _frames("window", window, 1, rate),
            _frames("stride", stride, 1, rate),
            _frames("history", history, 0, rate),
            _frames("future", future, 0, rate),
        )


def checked_rate(rate: Any) -> float | None:
    """Return a rate as a float.

    Args:
        rate: frames per second, any number of Python's or NumPy's, or None.

    Returns:
        The number, or None.

    Raises:
        InvalidInput: it is no number, or is out of range.
    """
    if rate is None:
        return None
    if not isinstance(rate, int | float | np.number) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InvalidInput(f"rate should be frames per second, from {LOWEST_RATE:g} to {HIGHEST_RATE:g}, got {rate!r}")
    return float(rate)


def _frames(name: str, length: Any, least: int, rate: float | None) -> int:
    if isinstance(length, int | np.integer):
        if length < least:
            raise InvalidInput(f"{name} should be a whole number, at least {least}, got {length!r}")
        return int(length)
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if not isinstance(seconds, float | np.floating) or not math.isfinite(seconds):
        raise InvalidInput(f"{name} should be a whole number of frames or seconds, got {length!r}")
    if rate is None:
        raise InvalidInput(
            f"{name} should be a whole number, at least {least}, got {length!r}: seconds need rate=, "
            "the frames per second to resample to"
        )
    exactly = float(seconds) * rate
    frames = round(exactly)
    if abs(exactly - frames) > ROUNDED_FRAMES:
        raise InvalidInput(
            f"{name} of {seconds:g} s is {exactly:.6g} frames at {rate:g} frames/s, which is no whole number; "
            f"give {max(frames, least)} frames ({max(frames, least) / rate:.6g} s) or another rate"
        )
    if frames < least:
        raise InvalidInput(f"{name} should be at least {least} frames ({least / rate:.6g} s), got {length!r}")
    return frames
