"""A Kalman smoother for many landmarks at once, which finds outliers from both sides and has no lag.

Each coordinate is a third-order integrator driven by white jerk, measured at uneven times (Bar-Shalom, Li and
Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, 6.2.3). Kept in units of its noise and of
the cut-off's period, all coordinates share one model. Landmarks are independent; the loops are over time alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOTHING_KNOWN = 1e6 * np.eye(3)
"""Covariance of place, speed and acceleration before a track's first sample (a diffuse prior)."""
PASSES = 3
"""How often outliers are looked for: a large one hides its neighbours."""

LEAST_SAY = 0.1
"""Share of a sample's variance below which the others say too little to contradict it, as at the end of a track."""


@dataclass(frozen=True)
class Block:
    """A stretch of time of many landmarks, as measured."""

    times: Floats
    """(frames,): seconds, increasing."""
    values: Floats
    """(frames, landmarks, 3): coordinates in metres; NaN where missing."""
    noise: Floats
    """(landmarks, 3): standard deviation, in metres, of a fully visible landmark's coordinates."""
    variance: Floats
    """(frames, landmarks): of a measurement, relative to a fully visible landmark's 1."""
    doubted: Flags
    """(frames, landmarks): outliers for another reason than their motion."""
    breaks: Flags
    """(frames, landmarks): tracks end before this frame, and others begin with it."""


@dataclass(frozen=True)
class Model:
    """How landmarks move, and how long one may be missing without being lost."""

    cutoff_hz: float
    """Where the smoother lets half the power of a motion pass, i.e. 0.71 of its amplitude."""
    typical_step: float
    """Seconds from frame to frame for which the cut-off holds."""
    longest_gap: float
    """Seconds, to half a frame, from one sample of a track to the next beyond which a new track begins."""
    fastest: float
    """Metres a second beyond which nothing moves."""
    gate: float
    """Squared distance, chi-square with three degrees of freedom, beyond which a sample is an outlier."""

    @property
    def radians(self) -> float:
        """Radians a second that make a unit of time.

        The smoother passes 1 / (1 + w^6) of the amplitude at w of these units, like a Butterworth filter of third
        order that runs forth and back; half the power is at w^6 = sqrt(2) - 1.
        """
        return float(2 * np.pi * self.cutoff_hz / (np.sqrt(2) - 1) ** (1 / 6))

    def is_lost(self, seconds: Floats) -> Flags:
        """Whether a track that had its last sample these seconds ago has ended."""
        return seconds > self.longest_gap + self.typical_step / 2

    def steps(self, times: Floats) -> tuple[Floats, Floats]:
        """(frames, 3, 3) transitions from the frame before, and the covariance of what happens on the way."""
        dt = np.diff(times, prepend=times[:1]) * self.radians
        transition = np.zeros((len(dt), 3, 3))
        transition[:, [0, 1, 2], [0, 1, 2]] = 1
        transition[:, [0, 1], [1, 2]] = dt[:, None]
        transition[:, 0, 2] = dt**2 / 2
        powers = np.array([[5, 4, 3], [4, 3, 2], [3, 2, 1]])
        divisors = np.array([[20, 8, 6], [8, 3, 2], [6, 2, 1]])
        density = self.typical_step * self.radians  # of the noise of one sample, spread over its time
        return transition, density * dt[:, None, None] ** powers / divisors


def find_jumps(block: Block, model: Model) -> tuple[Flags, Flags]:
    """Refuse samples that a landmark cannot have reached in the picture's plane, and those that are doubted.

    Outliers jump away and jump back. Where samples are refused for longer than the longest gap, or to the end, it is
    the landmark that has jumped: they are no outliers, and another track begins with them.

    Returns:
        (frames, landmarks) which samples to use, and before which frames a track ends by a jump or a break.
    """
    present = np.isfinite(block.values[..., 0])
    used, jumps = present.copy(), block.breaks.copy()
    landmarks = present.shape[1]
    place, latest = np.zeros((2, landmarks, 2))
    last_used = np.full(landmarks, -np.inf)
    is_away = np.zeros(landmarks, bool)
    first_refused = np.full(landmarks, -1)

    def call_it_a_jump(which: Flags, until: int) -> None:
        for landmark in np.flatnonzero(which & (first_refused >= 0)):
            start = first_refused[landmark]
            used[start:until, landmark] = present[start:until, landmark]
            jumps[start, landmark] = True
            first_refused[landmark] = -1

    for k, time in enumerate(block.times):
        here, measured = present[k], block.values[k, :, :2]
        last_used[block.breaks[k]] = -np.inf
        since = time - last_used
        anew = here & model.is_lost(since)
        call_it_a_jump(anew, k)
        moved = _distance(measured, place)
        is_near = moved <= model.fastest * np.maximum(since, model.typical_step)  # frame times jitter, too
        goes_on = is_away & (_distance(measured, latest) < moved)
        agrees = here & (anew | (is_near & ~goes_on & ~block.doubted[k]))
        is_away[here & ~is_near] = True
        is_away[agrees] = False
        first_refused[here & ~agrees & (first_refused < 0)] = k
        first_refused[agrees] = -1
        used[k] = agrees
        last_used[agrees] = time
        place[agrees], latest[here] = measured[agrees], measured[here]
    call_it_a_jump(np.ones(landmarks, bool), len(block.times))
    return used, jumps


def _distance(ones: Floats, others: Floats) -> Floats:
    return np.asarray(np.hypot(*(ones - others).T), np.float64)


def smooth(block: Block, model: Model, used: Flags, jumps: Flags) -> tuple[Floats, Flags]:
    """Estimate each landmark from all its samples, before and after, but for outliers.

    A sample is an outlier if it is further from what all the others say than chi-square allows (deletion residuals:
    de Jong, Biometrika 75(3), 1988), and further than its neighbours are, which it may have pulled away.

    Args:
        used: (frames, landmarks) which samples count.
        jumps: (frames, landmarks) before which frames tracks end.

    Returns:
        (frames, landmarks, 3) in metres, NaN outside of tracks and where a track misses samples for longer than the
        longest gap; and which samples were used in the end.
    """
    smoothed, distance = _smooth_once(block, model, used, jumps)
    for _ in range(PASSES - 1):
        around = np.pad(distance, ((1, 1), (0, 0)))
        outliers = (distance > model.gate) & (distance >= np.maximum(around[:-2], around[2:]))
        if not outliers.any():
            break
        used = used & ~outliers
        smoothed, distance = _smooth_once(block, model, used, jumps)
    return smoothed, used


def _smooth_once(block: Block, model: Model, used: Flags, jumps: Flags) -> tuple[Floats, Floats]:
    """The smoother of Rauch, Tung and Striebel (AIAA J. 3(8), 1965), and how far each used sample is from the others.

    Returns:
        (frames, landmarks, 3) in metres, and (frames, landmarks) squared distances in standard deviations.
    """
    frames, landmarks = used.shape
    values = np.where(used[..., None], block.values / block.noise, 0)
    transitions, drifts = model.steps(block.times)
    state, covariance = np.zeros((landmarks, 3, 3)), np.tile(NOTHING_KNOWN, (landmarks, 1, 1))
    predicted, filtered, predicted_covariance, filtered_covariance = np.empty((4, frames, landmarks, 3, 3))
    began = np.zeros((frames, landmarks), bool)
    last_used = np.full(landmarks, -np.inf)
    for k, time in enumerate(block.times):
        state = state @ transitions[k].T
        covariance = transitions[k] @ covariance @ transitions[k].T + drifts[k]
        last_used[jumps[k]] = -np.inf
        began[k] = model.is_lost(time - last_used)
        if began[k].any():
            state[began[k]] = 0
            state[began[k], :, 0] = values[k, began[k]]
            covariance[began[k]] = NOTHING_KNOWN
        predicted[k], predicted_covariance[k] = state, covariance
        gain = covariance[:, :, 0] * (used[k] / (covariance[:, 0, 0] + block.variance[k]))[:, None]
        state = state + (values[k] - state[:, :, 0])[:, :, None] * gain[:, None, :]
        covariance = covariance - gain[:, :, None] * covariance[:, None, 0, :]
        filtered[k], filtered_covariance[k] = state, covariance
        last_used[used[k]] = time
    forth = transitions[1:, None] @ filtered_covariance[:-1]
    gains = np.linalg.solve(predicted_covariance[1:], forth)
    gains[began[1:]] = 0
    for k in range(frames - 2, -1, -1):
        filtered[k] += (filtered[k + 1] - predicted[k + 1]) @ gains[k]
        learnt = filtered_covariance[k + 1] - predicted_covariance[k + 1]
        filtered_covariance[k] += gains[k].swapaxes(1, 2) @ learnt @ gains[k]
    smoothed = filtered[..., 0]
    left = np.maximum(block.variance - filtered_covariance[..., 0, 0], 1e-9)
    distance = np.where(used, ((values - smoothed) ** 2).sum(axis=2) / left, 0)
    distance[left < LEAST_SAY * block.variance] = 0
    _bridge(smoothed, block.times, used, began)
    return smoothed * block.noise, distance


def _bridge(smoothed: Floats, times: Floats, used: Flags, began: Flags) -> None:
    """Fill what lies between two used samples of a track, in place, and take away what lies outside of tracks.

    The smoother's own estimate swings out in a gap, whose ends it takes to move as fast as the cut-off allows; a cubic
    that is monotone where they are stays between them (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5(2), 1984).
    """
    track = np.cumsum(began, axis=0)
    rows = np.broadcast_to(np.arange(len(used))[:, None], used.shape)
    before = np.maximum.accumulate(np.where(used, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(used, rows, len(used))[::-1], axis=0)[::-1]
    known = (before >= 0) & (after < len(used))
    ends = [np.take_along_axis(track, np.where(known, at, 0), axis=0) for at in (before, after)]
    smoothed[~known | (ends[0] != ends[1])] = np.nan
    row, landmark = np.nonzero(~used & np.isfinite(smoothed[..., 0]))
    first, last = before[row, landmark], after[row, landmark]

    def speed(start: NDArray[np.intp], end: NDArray[np.intp]) -> Floats:
        inside = (start >= 0) & (end < len(times))
        start, end = np.where(inside, start, first), np.where(inside, end, last)
        moved: Floats = smoothed[end, landmark] - smoothed[start, landmark]
        return moved / (times[end] - times[start])[:, None]

    across = speed(first, last)
    at_ends = [_harmonic_mean(across, speed(first - 1, first)), _harmonic_mean(across, speed(last, last + 1))]
    lasts = (times[last] - times[first])[:, None]
    share = (times[row] - times[first])[:, None] / lasts
    start, end = smoothed[first, landmark], smoothed[last, landmark]
    eased = share**2 * (3 - 2 * share)
    bend = share * (1 - share) * ((1 - share) * at_ends[0] - share * at_ends[1]) * lasts
    smoothed[row, landmark] = start + eased * (end - start) + bend


def _harmonic_mean(across: Floats, along: Floats) -> Floats:
    """0 where they have different signs; only `across` where nothing lies beside."""
    along = np.where(np.isnan(along), across, along)
    product = across * along
    return np.where(product > 0, 2 * product / np.where(product > 0, across + along, 1), 0)
