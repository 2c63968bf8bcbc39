"""The fingerprint of a motion: how arms and hands move, whatever the picture looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.duplicates.signal_windows import angle_bits, windows
from kinesphere.trajectory import ARRAYS, BODY_LANDMARKS, HAND_LANDMARKS, HANDS, Trajectory, Valid

RATE = 10.0
"""Points a second: arms and hands move with little power above half of it."""
WINDOW = 20
"""Points in a window: two seconds."""
LEAST_MOTION = 0.01
"""Root mean square of a window's motion, in torso lengths: what moves less is noise."""
HANDS_IN_TORSO = 2.6
"""Lengths of a hand, wrist to knuckles times two, in that of a torso: the unit where only hands are seen."""
_FEATURES = 5
"""Points followed on each side: elbow and wrist by the body, wrist, thumb tip and index tip by the hand."""


@dataclass(frozen=True)
class MotionFingerprint:
    """Arms and hands over time, free of where the person stands and how large the picture shows them."""

    signal: NDArray[np.float16]
    """(points, 2 sides, 5 landmarks, xy): at `RATE`, in torso lengths, NaN where missing."""

    def hashes(
        self, *, speed: float = 1.0, every: float = 1.0, is_mirrored: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """256 bits a window of two seconds, by `windows.angle_bits`.

        Args:
            speed: seconds of this recording in one second of a window.
            every: seconds of this recording from one window to the next.
            is_mirrored: as if the picture were turned over, left to right.

        Returns the times of the windows' beginnings in nanoseconds, (windows,), and their hashes, (windows, 32).
        Windows with too little motion are left out.
        """
        signal = self.signal.astype(np.float32)
        if is_mirrored:
            signal = signal[:, ::-1] * np.array([-1, 1], np.float32)
        times, found = windows(signal.reshape(len(signal), 4 * _FEATURES), WINDOW, rate=RATE, speed=speed, every=every)
        there = ~np.isnan(found)
        count = np.maximum(there.sum(1, keepdims=True), 1)
        found = np.where(there, found - np.where(there, found, 0).sum(1, keepdims=True) / count, 0)
        moves = np.sqrt((found**2).sum((1, 2)) / np.maximum(there.sum((1, 2)), 1)) >= LEAST_MOTION
        # A landmark that is seen in less than half of the window says more about the detector than about the person.
        found = np.where(there.mean(1, keepdims=True) >= 0.5, found, 0)
        moves &= (found != 0).any((1, 2))
        return times[moves], angle_bits(found[moves])


def motion_fingerprint(trajectory: Trajectory) -> MotionFingerprint:
    """Follow elbows, wrists and fingertips, at even times, in torso lengths.

    Where no body is seen in half of the frames, the hands' lengths tell how long the torso is.

    Args:
        trajectory: of the whole recording.

    Returns:
        How the person moves; empty where too little of them is seen, or the extractor gives no such landmarks.
    """
    arrays = trajectory.arrays
    pixels = np.array([trajectory.image_width, trajectory.image_height], np.float32)
    body, hands = (
        arrays[name][..., :2] * pixels
        if name in arrays
        else np.full((len(trajectory), *ARRAYS[name].shape[:-1], 2), np.nan, np.float32)
        for name in ("body_image", "hands_image")
    )
    shoulders, hips = (
        body[:, [BODY_LANDMARKS.index(f"{side}_{part}") for side in HANDS]] for part in ("shoulder", "hip")
    )
    middle = shoulders.mean(1)
    sees_body = "body_image" in arrays and (arrays["valid"] & Valid.BODY > 0).mean() >= 0.5
    torso = _size(np.linalg.norm(middle - hips.mean(1), axis=-1)) if sees_body else float("nan")
    points = np.full((len(trajectory), 2, _FEATURES, 2), np.nan, np.float32)
    for side, name in enumerate(HANDS):
        for feature, part in enumerate(("elbow", "wrist")):
            points[:, side, feature] = (body[:, BODY_LANDMARKS.index(f"{name}_{part}")] - middle) / torso
        wrist, knuckle, thumb, index = (
            hands[:, side, HAND_LANDMARKS.index(part)] for part in ("wrist", "middle_mcp", "thumb_tip", "index_tip")
        )
        length = torso if sees_body else _size(np.linalg.norm(wrist - knuckle, axis=-1)) * 2 * HANDS_IN_TORSO
        points[:, side, 2] = wrist / length
        points[:, side, 3] = (thumb - wrist) / length
        points[:, side, 4] = (index - wrist) / length
    return MotionFingerprint(_evenly(arrays["timestamp"], points).astype(np.float16))


def _size(lengths: NDArray[np.float32]) -> float:
    known = lengths[np.isfinite(lengths) & (lengths > 0)]
    return float(np.median(known)) if len(known) else float("nan")


def _evenly(times_ns: NDArray[np.int64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the frames around each tenth of a second: a low pass, so that no frame rate shows."""
    seconds = (times_ns - times_ns[0]) / 1e9
    ticks = np.arange(int(seconds[-1] * RATE) + 1) / RATE
    flat = points.reshape(len(points), -1)
    there = np.isfinite(flat)
    totals = np.concatenate(
        [np.zeros((1, flat.shape[1])), np.cumsum(np.where(there, flat, 0), axis=0, dtype=np.float64)]
    )
    counts = np.concatenate([np.zeros((1, flat.shape[1])), np.cumsum(there, axis=0)])
    first, after = np.searchsorted(seconds, ticks - 0.1), np.searchsorted(seconds, ticks + 0.1)
    number = counts[after] - counts[first]
    mean = np.divide(totals[after] - totals[first], number, out=np.full(number.shape, np.nan), where=number > 0)
    return np.asarray(mean.reshape(len(ticks), *points.shape[1:]), np.float32)
