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
    speeds: Sequence[float] = SPEEDS,
) -> Alignment | None:
    """The best line through the distances of two recordings' hashes, or None where none has `LEAST` pairs.

    Args:
        times_ns, other_times_ns: (points,), increasing.
        hashes, other_hashes: (points, 32) uint8.
        limit: the distance in bits that still counts as a match.
        speeds: those that are tried, in seconds of the other in one of this.
    """
    some, others = _spread(len(times_ns)), _spread(len(other_times_ns))
    times_ns, hashes, other_times_ns, other_hashes = (
        times_ns[some], hashes[some], other_times_ns[others], other_hashes[others],
    )  # fmt: skip
    if min(len(times_ns), len(other_times_ns)) < LEAST:
        return None
    distances = hamming(hashes, other_hashes)
    if (distances.min(axis=1) <= limit).sum() < LEAST:
        return None
    step = max(STEP_NS, int(np.median(np.diff(other_times_ns))))
    best: tuple[float, float, NDArray[np.int64]] | None = None
    for speed in speeds:
        gains, nearest = _lines(times_ns, other_times_ns, distances, speed, step, limit)
        at = int(gains.argmax())
        if (nearest[at] >= 0).sum() >= LEAST and (best is None or gains[at] > best[0]):
            best = float(gains[at]), speed, nearest[at]
    return None if best is None else _described(times_ns, other_times_ns, distances, best[1], best[2], step, limit)


def hamming(hashes: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits that differ, each hash with each: (hashes, others)."""
    left, right = (np.ascontiguousarray(h).view(np.uint64) for h in (hashes, others))
    return np.asarray(np.bitwise_count(left[:, None] ^ right[None]).sum(axis=2), np.int64)


def _lines(
    times: NDArray[np.int64],
    others: NDArray[np.int64],
    distances: NDArray[np.int64],
    speed: float,
    step: int,
    limit: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each beginning of a line: the sum by which its pairs are under the limit, and the pairs, -1 for none."""
    scaled = times * speed
    begins = np.arange(others[0] - scaled[-1], others[-1] - scaled[0] + step, step)
    wanted = scaled[None] + begins[:, None]
    after = np.clip(np.searchsorted(others, wanted), 1, len(others) - 1)
    nearest = np.where(wanted - others[after - 1] <= others[after] - wanted, after - 1, after)
    nearest = np.where(np.abs(others[nearest] - wanted) <= step * 0.75, nearest, -1)
    found = distances[np.arange(len(times))[None], nearest]
    gains = np.where(nearest >= 0, np.maximum(limit - found, -limit), 0).sum(axis=1, dtype=np.float64)
    return gains, nearest


def _described(
    times: NDArray[np.int64],
    others: NDArray[np.int64],
    distances: NDArray[np.int64],
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
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).astype(np.int64)) if count else np.empty(0, np.int64)
