"""Checks of how the contributor moves: enough for a task, and without the tremble of tracks that are hard to follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, Needs, ranges_of
from annotate.checks.limits import Limit, Unit

STRIDE_SECONDS = 0.5
"""Movement is measured over half a second: jitter goes nowhere in so long."""
BRISK = 0.9
"""Of the speeds, this quantile: who rests most of the time moves all the same."""
NOISE_GAIN = 20.0
"""The variance of the third difference of white noise of variance 1: 1 + 9 + 9 + 1."""
UNEVEN = 1.5
"""Frames further apart than so many usual steps are no neighbours."""


def wrist_strides(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """How far each wrist is from where it was half a second before, and how long that was.

    Args:
        evidence: of a recording, pauses left out.

    Returns:
        (strides, 2) shoulder widths, of the left and the right wrist, NaN where one was not found; and (strides,)
        seconds. None where no wrists were looked for, or there is one frame.
    """
    wrists, steps = evidence.wrists, evidence.footage.steps_ns
    if wrists is None or not len(steps):
        return None
    elapsed = np.concatenate(([0], np.cumsum(steps))) / 1e9
    until = np.searchsorted(elapsed, elapsed + STRIDE_SECONDS)
    start = np.flatnonzero(until < len(elapsed))
    until = until[start]
    moved = np.hypot(*np.moveaxis(wrists.tracks[until] - wrists.tracks[start], -1, 0))
    return moved, elapsed[until] - elapsed[start]


def _speed(evidence: Evidence, limit: Limit) -> Finding | None:
    strides = wrist_strides(evidence)
    if strides is None:
        return None
    moved, seconds = strides
    speeds = np.fmax(moved[:, 0], moved[:, 1]) / seconds  # of the wrist that is faster
    known = speeds[np.isfinite(speeds)]
    if not len(known):
        return None
    speed = float(np.quantile(known, BRISK))
    words = f"your wrists move at up to {speed:.2f} shoulder widths a second"
    return Finding(speed, words, ((0, evidence.footage.end_ns),))


def _jitter(evidence: Evidence, limit: Limit) -> Finding | None:
    wrists, times = evidence.wrists, evidence.footage.times_ns
    if wrists is None or len(times) < 4:
        return None
    steps = np.diff(times)
    even = steps <= UNEVEN * np.median(steps)
    squared = np.square(np.diff(wrists.raw, 3, axis=0)).reshape(len(times) - 3, -1) / NOISE_GAIN
    squared[~(even[:-2] & even[1:-1] & even[2:])] = np.nan
    second = times[: len(squared)] // 1_000_000_000
    counts = np.bincount(second, np.isfinite(squared).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        jitters = np.sqrt(np.bincount(second, np.nansum(squared, axis=1)) / counts)
    if not counts.any():
        return None
    jitter = float(np.median(jitters[counts > 0]))
    words = f"the wrists as they were found tremble by {jitter:.1%} of your shoulder width"
    starts = np.arange(len(jitters), dtype=np.int64) * 1_000_000_000
    return Finding(jitter, words, ranges_of(jitters > limit.doubt, starts, evidence.footage.end_ns))


CHECKS = (
    Check(
        name="wrist_speed",
        direction="at least", doubt=0.03, fail=0, unit=Unit.SHOULDERS_A_SECOND,
        needs=Needs.TRAJECTORY,
        find=_speed,
        meaning="distance between a wrist's places half a second apart, over that time; of the faster wrist, the 90th "
        "percentile over time. By the body's wrists, or the hands' where these are found in more frames (four "
        "palms, from wrist to middle knuckle, are then a shoulder width)",
        advice="do what the task says while you record",
    ),
    Check(
        name="track_jitter",
        direction="at most", doubt=0.15, fail=1, unit=Unit.SHOULDERS,
        needs=Needs.TRAJECTORY,
        find=_jitter,
        meaning="standard deviation of the noise in the wrists as the networks gave them, before smoothing: root mean "
        "square of the third difference over the square root of 20 (difference-based estimation, Gasser, Sroka and "
        "Jennen-Steinmetz 1986) within each second; the median over the seconds. Quick movement raises it a little",
        advice="turn on more light, come closer to the camera, and wear clothes that differ from what is behind you",
    ),
)  # fmt: skip
