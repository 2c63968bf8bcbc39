"""Values between frames: which stored frames lie around some times, and what an array is at these times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import ArraySpec, from_stored

SAME_TIME_NS = 20_000
"""A frame this close to a time is the frame of that time: clocks of containers round (1/90,000 s by up to 5.6 us)."""

_PIECE_FRAMES = 1024


def resampling_bound_bytes(run_frames: int, stored_frames: int, numbers: int) -> int:
    """The most memory that a thread takes to resample `run_frames` frames, besides what it reads and what it makes.

    Args:
        run_frames: frames that are made at once.
        stored_frames: of the longest episode, whose times may all be needed, as they all were at first.
        numbers: of a frame of the largest array.

    Returns:
        Bytes.
    """
    return 36 * max(run_frames, stored_frames) + 128 * run_frames + _PIECE_FRAMES * (24 * numbers + 1024)


@dataclass(frozen=True)
class Neighbours:
    """The stored frames around each of some ascending times; arrays with one entry a time."""

    time: Integers
    before: Integers
    """The frame before the time; where a frame is of that very time, that one."""
    after: Integers
    """The one after `before`, or the same one."""
    weight: NDArray[np.float64]
    """How far the time is on the way from one to the other, 0 to 1."""
    nearest: Integers
    too_far: NDArray[np.bool_]
    """Where the two are too far apart."""

    @classmethod
    def of(cls, stored: Integers, time: Integers, largest_gap: int) -> Neighbours:
        """Find them among the times of stored frames.

        Args:
            stored: int64 nanoseconds, ascending, from before the first time to after the last one.
            time: int64 nanoseconds, ascending.
            largest_gap: nanoseconds beyond which two frames are too far apart.

        Returns:
            One entry a time.
        """
        after = np.searchsorted(stored, time - SAME_TIME_NS).astype(np.int64)
        exact = stored[after] <= time + SAME_TIME_NS
        before = np.where(exact, after, after - 1)
        step = stored[after] - stored[before]
        since = time - stored[before]
        weight = np.where(exact, 0.0, since / np.maximum(step, 1))
        return cls(time, before, after, weight, np.where(2 * since > step, after, before), step > largest_gap)

    def __len__(self) -> int:
        return len(self.time)

    def pieces(self, most: int) -> Iterator[slice]:
        """Cut the times into stretches.

        Args:
            most: between how many stored frames the times of a stretch lie, unless it is a single time.

        Yields:
            The places of each stretch.
        """
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(self.after, self.before[start] + most))
            stop = min(max(stop, start + 1), start + _PIECE_FRAMES)
            yield slice(start, stop)
            start = min(stop, len(self))

    def __getitem__(self, part: slice) -> Neighbours:
        return Neighbours(
            self.time[part], self.before[part], self.after[part], self.weight[part], self.nearest[part],
            self.too_far[part],
        )  # fmt: skip

    def resampled(self, spec: ArraySpec, stored: NDArray[Any]) -> NDArray[Any]:
        """The values of an array at these times; see `values`.

        Args:
            spec: the array.
            stored: its values as stored, `(frames, *spec.shape)`, of all frames that the neighbours are counted in.

        Returns:
            `(len(self), *spec.shape)`: float32 in units where the array has a scale, else the stored type.
        """
        if spec.name == "timestamp":
            return self.time
        out = np.empty((len(self), *spec.shape), spec.in_units)
        for piece in self.pieces(len(stored)):
            self[piece].values(spec, stored, 0, out[piece])
        return out

    def values(self, spec: ArraySpec, stored: NDArray[Any], first: int, out: NDArray[Any]) -> None:
        """Put the values at these times into `out`, `(len(self), *spec.shape)`, in units.

        Fixed-point and float numbers, such as positions and `grip`, and standard deviations are interpolated linearly,
        the rotations of `wrist_pose` along the arc (`slerp`); a value is NaN where either frame has none or they are
        too far apart. Other uint8 and int64 numbers, such as flags, scores and visibilities, are the nearest frame's,
        0 where the two are too far apart. A frame of that very time is handed over as it is.

        A value on the line errs at most as its two neighbours do together, and just so where they err alike, as in
        smoothed tracks. So standard deviations on the line are never too small.

        Args:
            spec: the array.
            stored: its values as stored, `(frames, *spec.shape)`.
            first: which frame the first of them is.
            out: to be filled.
        """
        if not spec.has_missing:
            from_stored(spec, stored[self.nearest - first], out)
            out[self.too_far] = 0
            return
        from_stored(spec, stored[self.before - first], out)
        between = np.flatnonzero(self.after != self.before)
        if len(between) == 0:
            return
        before, after = out[between], from_stored(spec, stored[self.after[between] - first])
        weight = self.weight[between].reshape(-1, *(1 for _ in spec.shape))
        found = before + weight.astype(np.float32) * (after - before)
        if spec.name == "wrist_pose":
            found[..., 3:] = slerp(before[..., 3:], after[..., 3:], weight)
        found[self.too_far[between]] = np.nan
        out[between] = found


def slerp(before: NDArray[Any], after: NDArray[Any], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spherical linear interpolation of unit quaternions, the shorter way round.

    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985. The angle is found by W. Kahan's
    2 atan2(|a - b|, |a + b|), which is exact for small ones too.

    Args:
        before: `(..., 4)`, with NaN where missing.
        after: `(..., 4)`, with NaN where missing.
        weight: how far on the way from one to the other, 0 to 1, broadcast against them.

    Returns:
        float64 `(..., 4)`.
    """
    a, b = before.astype(np.float64), after.astype(np.float64)
    b *= np.where((a * b).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    angle = 2 * np.arctan2(np.linalg.norm(a - b, axis=-1, keepdims=True), np.linalg.norm(a + b, axis=-1, keepdims=True))
    along = np.sin(angle)
    close = along < 1e-9  # where the arc is a line
    along = np.where(close, 1.0, along)
    of_a = np.where(close, 1 - weight, np.sin((1 - weight) * angle) / along)
    of_b = np.where(close, weight, np.sin(weight * angle) / along)
    found = of_a * a + of_b * b
    turned: NDArray[np.float64] = found / np.linalg.norm(found, axis=-1, keepdims=True)
    return turned
