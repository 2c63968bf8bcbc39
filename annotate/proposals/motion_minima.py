"""Moments at which a motion pauses, to which edges snap: minima of a smoothed signal that stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

Floats = NDArray[np.float64]

SMOOTHING_SECONDS = 0.1
"""Standard deviation of the Gaussian: shorter dips are jitter."""
LEAST_RISE = 1.5
"""On both sides of a minimum the motion must rise this many times above it ..."""
STILLNESS = 0.02
"""... after this is added to all of it, in image heights a second, so that jitter at rest has no minima."""


@dataclass(frozen=True)
class MotionMinima:
    """Where a motion pauses, in order of time."""

    frames: NDArray[np.int64]
    times_ns: NDArray[np.int64]


def motion_minima(times_ns: NDArray[np.int64], speed: NDArray[np.floating]) -> MotionMinima:
    """The minima of a speed, each with a maximum that stands out on both sides of it; none at the edge of a gap.

    Args:
        times_ns: int64 `(frames,)`.
        speed: `(frames,)`, image heights a second, NaN where missing: a signal of `annotate.signals.signals`.

    Returns:
        Where they are, and how deep.

    Raises:
        InvalidInput: the shapes differ.
    """
    if times_ns.shape != speed.shape or speed.ndim != 1:
        raise InvalidInput(f"times and speed should have one shape (frames,), got {times_ns.shape}, {speed.shape}")
    there = np.flatnonzero(np.isfinite(speed))
    found: list[int] = []
    if len(there):
        frame_seconds = float(np.median(np.diff(times_ns))) / 1e9 if len(times_ns) > 1 else 1.0
        width = SMOOTHING_SECONDS / frame_seconds if frame_seconds > 0 else 1.0
        for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
            smooth = _smoothed(speed[run].astype(np.float64), width) + STILLNESS
            found.extend(int(run[0]) + place for place in _standing_out(smooth))
    frames = np.array(found, np.int64)
    return MotionMinima(frames, times_ns[frames])


def _smoothed(values: Floats, width: float) -> Floats:
    """Values smoothed by a Gaussian of so many frames, which is cut off, and weighted anew, at the ends."""
    reach = min(int(3 * width) + 1, len(values) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    smooth: Floats = np.convolve(values, kernel, "full")[reach : reach + len(values)]
    weight = np.convolve(np.ones(len(values)), kernel, "full")[reach : reach + len(values)]
    smooth /= weight
    return smooth


def _standing_out(values: Floats) -> list[int]:
    """Minima between maxima that are `LEAST_RISE` times higher: the turning points of a zigzag of that size."""
    slope = np.sign(np.diff(values))
    moving = np.flatnonzero(slope)
    turns = moving[1:][slope[moving[1:]] != slope[moving[:-1]]]  # a plateau turns at its end
    found: list[int] = []
    lowest, highest, is_falling = -1, float(values[0]), False
    for place in [*turns.tolist(), len(values) - 1]:
        value = float(values[place])
        if is_falling:
            if value < values[lowest]:
                lowest = place
            elif value >= LEAST_RISE * values[lowest]:
                found.append(lowest)
                highest, is_falling = value, False
        else:
            highest = max(highest, value)
            if LEAST_RISE * value <= highest:
                lowest, is_falling = place, True
    return found
