"""The fingerprint of a video's changes: how much of the picture changes, and where, as it goes on in time.

A crop, a border, a mirror or another size only move and scale the places: how they run stays the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.duplicates.signal_windows import angle_bits, windows

if TYPE_CHECKING:
    from storage.footage.video_reader import VideoFrame

RATE = 10
"""Pictures a second that are looked at."""
LAG = 2
"""Pictures between the two that are compared: a fifth of a second."""
WINDOW = 30
"""Points in a window: three seconds. In two, other moments of one take came nearer (41 bits instead of 47)."""
SHORTER_SIDE = 32
"""Pixels: 64 found no more, and took four times as long. What is finer is noise, and what encoding leaves."""
NOISES = 3.0
"""Light has to change by this many standard deviations of the picture's noise, and by `LEAST_CHANGE`."""
LEAST_CHANGE = 4.0
"""Of 255."""
MOST_CHANGE = 30.0
"""Of 255, beyond the least: so that one bright edge does not outweigh all else."""
PRIOR = 0.3
"""Where less changes than this share of what usually does, places are drawn to the usual: few pixels tell little."""
LEAST_MASS = 0.01
"""Mean change of a window, of 255 over all pixels: less is noise."""
_SMOOTH = np.array([1, 2, 3, 2, 1], np.float64) / 9
_CHANNELS = 5


@dataclass(frozen=True)
class ChangeFingerprint:
    """How a picture changes over time, in five numbers."""

    signal: NDArray[np.float32]
    """(points, 5): at `RATE`, the mean change (of 255) and the change's moments: its sum times x, y, x squared and y
    squared, over the number of pixels. x and y are in shorter sides of the picture."""

    @classmethod
    def none(cls) -> ChangeFingerprint:
        """Of a recording that was processed before changes were looked at."""
        return cls(np.empty((0, _CHANNELS), np.float32))

    def hashes(
        self, *, speed: float = 1.0, every: float = 1.0, is_mirrored: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """256 bits a window of three seconds: `windows.angle_bits` of how its mass, middle and spread run.

        Args:
            speed: seconds of this recording in one second of a window.
            every: seconds of this recording from one window to the next.
            is_mirrored: as if the picture were turned over, left to right.

        Returns the times of the windows' beginnings in nanoseconds, (windows,), and their hashes, (windows, 32).
        Windows in which too little changes are left out.
        """
        if not len(self.signal):
            return np.empty(0, np.int64), np.empty((0, 32), np.uint8)
        course = self.course()
        if is_mirrored:
            course[:, 1] *= -1
        times, found = windows(course, WINDOW, rate=RATE, speed=speed, every=every)
        _, masses = windows(self.signal[:, :1], WINDOW, rate=RATE, speed=speed, every=every)
        enough = masses.mean((1, 2)) >= LEAST_MASS
        found = found[enough] - found[enough].mean(1, keepdims=True)
        # Places of all four channels have one unit, which a crop changes; the logarithm of the mass has none.
        mass, places = _unit(found[..., :1]) / 2, _unit(found[..., 1:])
        return times[enough], angle_bits(np.concatenate([mass, places], axis=2))

    def course(self) -> NDArray[np.float32]:
        """(points, 5): logarithm of the mass, its middle in x and y, its spread in x and y."""
        mass, moments = self.signal[:, :1].astype(np.float64), self.signal[:, 1:].astype(np.float64)
        prior = PRIOR * np.median(mass) + 1e-5
        usual = moments.sum(0) / max(float(mass.sum()), 1e-9)
        x, y, xx, yy = ((moments + prior * usual) / (mass + prior)).T
        spreads = (np.sqrt(np.maximum(square - middle**2, 0)) for square, middle in ((xx, x), (yy, y)))
        return np.stack([np.log(mass[:, 0] + prior), x, y, *spreads], axis=1).astype(np.float32)


def agreement(
    one: ChangeFingerprint,
    other: ChangeFingerprint,
    *,
    range_ns: tuple[int, int],
    other_begin_ns: int,
    speed: float,
    is_mirrored: bool,
) -> float:
    """How well places of change in a part of one recording are those in the other, moved and scaled once: -1 to 1.

    Windows have their own middle and size each; one crop has one of both from beginning to end, and so this is what
    tells chance from it. It is the correlation of middles and spreads, pooled over the four.

    Args:
        range_ns: from where to where in the first.
        other_begin_ns: where in the other that begins, to four tenths of a second.
        speed: seconds of the other in one second of the first.
        is_mirrored: whether the first is turned over.
    """
    courses = [fingerprint.course()[:, 1:].T.astype(np.float64) for fingerprint in (one, other)]
    if is_mirrored:
        courses[0][0] *= -1
    points = [np.arange(course.shape[1]) / RATE for course in courses]
    begin, end = (time / 1e9 for time in range_ns)
    seconds = np.arange(begin, min(end, points[0][-1]), 1 / RATE)
    found = [-1.0]
    for aside in np.arange(-4, 5) / RATE:
        there = (seconds - begin) * speed + other_begin_ns / 1e9 + aside
        shown = (there >= 0) & (there <= points[1][-1])
        if shown.sum() >= WINDOW:
            at = seconds[shown], there[shown]
            left, right = (
                np.stack([np.interp(when, known, channel) for channel in course])
                for when, known, course in zip(at, points, courses, strict=True)
            )
            left, right = (part - part.mean(1, keepdims=True) for part in (left, right))
            found.append(float((left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum() + 1e-12)))
    return max(found)


@dataclass
class ChangeHasher:
    """Fingerprints a video's changes as it passes by. Give it all frames, in order."""

    _times: list[int] = field(default_factory=list)
    _moments: list[NDArray[np.float64]] = field(default_factory=list)
    _before: deque[tuple[int, NDArray[np.float32]]] = field(default_factory=lambda: deque(maxlen=LAG))
    _latest_tick: int = -1

    def __call__(self, frame: VideoFrame) -> None:
        """Look at one frame."""
        tick = frame.timestamp_ns * RATE // 1_000_000_000
        if tick <= self._latest_tick:
            return
        self._latest_tick = tick
        small = _small(frame.image)
        if len(self._before) == LAG and self._before[0][1].shape == small.shape:
            then, picture = self._before[0]
            usual = LAG / RATE / ((frame.timestamp_ns - then) / 1e9)
            self._times.append((frame.timestamp_ns + then) // 2)
            self._moments.append(_moments(small - picture) * min(1.0, usual))
        self._before.append((frame.timestamp_ns, small))

    @property
    def fingerprint(self) -> ChangeFingerprint:
        """Of all that was seen so far."""
        if len(self._times) < 2:
            return ChangeFingerprint.none()
        seconds = np.array(self._times) / 1e9
        even = np.arange(0, seconds[-1] + 0.5 / RATE, 1 / RATE)
        signal = [np.interp(even, seconds, channel) for channel in np.array(self._moments).T]
        smooth = [np.convolve(np.pad(channel, 2, "edge"), _SMOOTH, mode="valid") for channel in signal]
        return ChangeFingerprint(np.stack(smooth, axis=1).astype(np.float32))


def _small(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture's green, of which light is mostly made, some 32 pixels high."""
    import cv2

    height, width = image.shape[:2]
    scale = SHORTER_SIDE / min(height, width)
    stride = max(1, int(1 / scale / 4))  # four lines or more are still averaged
    green = np.ascontiguousarray(image[::stride, ::stride, 1])
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.float32)


def _moments(difference: NDArray[np.float32]) -> NDArray[np.float64]:
    """(5,): what `ChangeFingerprint.signal` holds, of the difference of two pictures.

    The median goes first: where the whole picture becomes lighter, nothing has moved.
    """
    change = np.abs(difference - _median(difference))
    noise = _median(change) / 0.6745  # of a normal distribution
    change = np.clip(change - max(NOISES * noise, LEAST_CHANGE), 0, MOST_CHANGE)
    height, width = change.shape
    unit = min(height, width)
    columns, rows = change.sum(0, dtype=np.float64), change.sum(1, dtype=np.float64)
    x, y = np.arange(width) / unit, np.arange(height) / unit
    sums = [rows.sum(), columns @ x, rows @ y, columns @ x**2, rows @ y**2]
    return np.asarray(np.asarray(sums) / (height * width), np.float64)


def _median(values: NDArray[np.float32]) -> float:
    """What `np.median` gives, in a tenth of its time for so few values."""
    middle = (values.size - 1) // 2, values.size // 2
    found = np.partition(values, middle, axis=None)
    return float(found[middle[0]] + found[middle[1]]) / 2


def _unit(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows, (windows, points, channels), of one size."""
    size = np.sqrt((found**2).mean((1, 2), keepdims=True))
    return np.asarray(found / np.maximum(size, 1e-6), np.float32)
