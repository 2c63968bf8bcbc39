"""Alignment of two recordings whose pictures or motions were compared each with each: at which speed, from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEEDS = tuple(float(s) for s in np.geomspace(0.5, 2.0, 29))
"""A constant factor of time from half to double, in steps of 5 %."""
STEP_NS = 250_000_000
LEAST = 8
"""Fewer pairs in a row prove nothing."""
TICKS = 10
"""Moments in a step at which lines are looked up: 25 ms."""
MOST = 400
"""Of longer recordings only so many points are compared, spread evenly."""


@dataclass(frozen=True)
class Alignment:
    """How one recording lies along another, by the straight line on which their hashes are nearest."""

    speed: float
    """Seconds of the other in one second of this."""
    matched: float
    """Share of this one's points within the limit of distance, on the line."""
    other_matched: float
    """The same share of the other's points."""
    distance: float
    """Mean distance in bits on the line."""
    elsewhere: float
    """Median distance in bits away from the line: how alike any two moments of these recordings are."""
    range_ns: tuple[int, int]
    other_range_ns: tuple[int, int]

    @property
    def sharpness(self) -> float:
        """How much nearer moments are on the line than off it: 0 is not at all, 1 is the same bits."""
        return 1 - self.distance / self.elsewhere if self.elsewhere > 0 else 0.0


def align(
    times_ns: NDArray[np.int64],
    hashes: NDArray[np.uint8],
    other_times_ns: NDArray[np.int64],
    other_hashes: NDArray[np.uint8],
    *,
    limit: int,
    least_share: float = 0.0,
    speeds: Sequence[float] = SPEEDS,
) -> Alignment | None:
    """The best line through the distances of two recordings' hashes, or None where none has `LEAST` pairs.

    Args:
        times_ns, other_times_ns: (points,), increasing.
        hashes, other_hashes: (points, 32) uint8.
        limit: the distance in bits that still counts as a match.
        least_share: of the points of either, so many have to match, or whoever asks does not want to know.
        speeds: those that are tried, in seconds of the other in one of this.
    """
    some, others = _spread(len(times_ns)), _spread(len(other_times_ns))
    times_ns, hashes, other_times_ns, other_hashes = (
        times_ns[some], hashes[some], other_times_ns[others], other_hashes[others],
    )  # fmt: skip
    if min(len(times_ns), len(other_times_ns)) < LEAST:
        return None
    distances = hamming(hashes, other_hashes)
    near = int((distances.min(axis=1) <= limit).sum())
    # A pair of the line is counted at most once of the first, and at most with its two neighbours of the other.
    if near < max(LEAST, least_share * min(len(times_ns), len(other_times_ns) / 3)):
        return None
    step = max(STEP_NS, int(np.median(np.diff(other_times_ns))))
    gains = _Gains.from_distances(times_ns, other_times_ns, distances, step, limit)
    best: tuple[float, float, int] | None = None
    for speed in speeds:
        gain, begin_ns = gains.best(speed)
        if best is None or gain > best[0]:
            best = gain, speed, begin_ns
    if best is None or best[0] <= 0:
        return None
    _, speed, begin_ns = best
    nearest = _nearest(np.rint(times_ns * speed).astype(np.int64) + begin_ns, other_times_ns, step)
    found = _described(times_ns, other_times_ns, distances, speed, nearest, step, limit)
    return found if found is not None and max(found.matched, found.other_matched) >= least_share else None


def hamming(hashes: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Bits that differ, each hash with each: (hashes, others)."""
    left, right = (np.ascontiguousarray(h).view(np.uint64) for h in (hashes, others))
    found = np.zeros((len(left), len(right)), np.int16)
    different, bits = np.empty(found.shape, np.uint64), np.empty(found.shape, np.uint8)
    for words, other_words in zip(left.T, right.T, strict=True):  # word by word: a sum over a short axis is slow
        np.bitwise_xor(words[:, None], other_words, out=different)
        found += np.bitwise_count(different, out=bits)
    return found


@dataclass(frozen=True)
class _Gains:
    """What a pair adds to a line, for each point of the first and each moment of the other: looked up, not searched."""

    times_ns: NDArray[np.int64]
    first_ns: int
    tick_ns: int
    table: NDArray[np.int16]
    """(points, `TICKS`, steps): by how much the other's nearest hash is under the limit, and 0 where none is near in
    time. Moments are `tick_ns` apart; those a step apart are beside each other."""

    @classmethod
    def from_distances(
        cls, times: NDArray[np.int64], others: NDArray[np.int64], distances: NDArray[np.int16], step: int, limit: int
    ) -> _Gains:
        """Of two recordings' distances, (points, others)."""
        tick = step // TICKS
        first = int(others[0]) - step
        steps = -(-(int(others[-1]) + step - first) // step) + 1
        moments = first + np.arange(steps) * (TICKS * tick) + np.arange(TICKS)[:, None] * tick
        gains = np.zeros((len(times), len(others) + 1), np.int16)  # the last is for no hash, -1
        np.maximum(limit - distances, -limit, out=gains[:, :-1])
        table = gains.take(_nearest(moments.ravel(), others, step), axis=1)
        return cls(times, first, tick, table.reshape(len(times), TICKS, steps))

    def best(self, speed: float) -> tuple[float, int]:
        """The line of most gain at a speed, of all that begin a step apart: its gain, and where the first begins."""
        scaled = np.rint(self.times_ns * speed / self.tick_ns).astype(np.int64)
        points, _, steps = self.table.shape
        origin = int(scaled[-LEAST])  # the first line begins so far before the other that `LEAST` pairs are left
        lines = -(-(steps * TICKS - int(scaled[LEAST - 1]) + origin) // TICKS)
        if lines <= 0:  # no line has `LEAST` pairs
            return 0.0, 0
        behind, phase = np.divmod(scaled - origin, TICKS)
        met = self.table[np.arange(points), phase]
        line = np.arange(steps) - behind[:, None] + int(behind[-1])
        gains = np.bincount(line.ravel(), met.ravel(), minlength=int(behind[-1]) + lines)[int(behind[-1]) :][:lines]
        at = int(gains.argmax())
        return float(gains[at]), self.first_ns + (at * TICKS - origin) * self.tick_ns


def _nearest(moments: NDArray[np.int64], others: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Which of the others is nearest to each moment, -1 where none is within three quarters of a step."""
    after = np.clip(np.searchsorted(others, moments), 1, len(others) - 1)
    nearest = np.where(moments - others[after - 1] <= others[after] - moments, after - 1, after)
    return np.where(np.abs(others[nearest] - moments) <= step * 0.75, nearest, -1)


def _described(
    times: NDArray[np.int64],
    others: NDArray[np.int64],
    distances: NDArray[np.int16],
    speed: float,
    nearest: NDArray[np.int64],
    step: int,
    limit: int,
) -> Alignment | None:
    rows = np.flatnonzero(nearest >= 0)
    columns = nearest[rows]
    # The line's points lie up to half a step aside: its neighbours count too.
    beside = np.clip(columns[:, None] + np.arange(-1, 2), 0, len(others) - 1)
    on_line = distances[rows[:, None], beside].min(axis=1)
    matched = on_line <= limit
    if matched.sum() < LEAST:
        return None
    first, last = rows[matched][[0, -1]]
    other_first, other_last = columns[matched][[0, -1]]
    far = np.abs(others[None] - others[columns][:, None]) > 4 * STEP_NS
    elsewhere = float(np.median(distances[rows][far])) if far.any() else float(np.median(distances))
    hit = np.unique(columns[matched])
    covered = np.unique(np.clip(hit[:, None] + np.arange(-1, 2), other_first, other_last)) if speed > 1 else hit
    return Alignment(
        speed=speed,
        matched=float(matched.sum() / len(times)),
        other_matched=float(len(covered) / len(others)),
        distance=float(on_line[matched].mean()),
        elsewhere=elsewhere,
        range_ns=(int(times[first]), int(times[last]) + step),
        other_range_ns=(int(others[other_first]), int(others[other_last]) + step),
    )


def _spread(count: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, MOST).astype(np.int64) if count > MOST else np.arange(count)
