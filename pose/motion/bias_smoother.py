"""A smoother for a quantity that several sources measure, each with noise of its own and an error that lasts.

What a network gets wrong in one frame it gets wrong in the next as well, so many frames do not make it right. Each
source has lasting errors beside its white noise: first-order Gauss-Markov processes, which the smoother estimates with
the quantity (Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, 8.2).
The quantity itself is an integrator driven by white acceleration. Samples far off lose their say: Student's t by
reweighting (Lange, Little and Taylor, J. American Statistical Association 84(408), 1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PASSES = 4
"""Of reweighting: later ones change the result by less than a tenth of its deviation."""
FREEDOM = 4.0
"""Degrees of freedom of Student's distribution."""
UNKNOWN = 1e4
"""Variance of the quantity and its rate before the first sample, in their units: nothing is known."""
NEVER = 1e12
"""Variance of a sample that is not there."""
BLOCK_FRAMES = 2048
"""Frames whose covariances are in memory at once; those of hours would not fit."""


@dataclass(frozen=True)
class LastingError:
    """An error of one source that changes slowly."""

    source: int
    deviation: float
    """Standard deviation, in units of the quantity."""
    seconds: float
    """Time in which it is forgotten; infinite for what stays for the whole recording."""


@dataclass(frozen=True)
class Smoothed:
    """A quantity over time, of several channels; all (frames, channels)."""

    value: Floats
    rate: Floats
    """Units a second."""
    variance: Floats
    rate_variance: Floats


@dataclass(frozen=True)
class Sources:
    """What is measured of a quantity, and how it moves."""

    times: Floats
    """(frames,): seconds, increasing."""
    samples: Floats
    """(frames, channels, sources): NaN where a source says nothing."""
    variances: Floats
    """(frames, channels, sources): of their white noise."""
    acceleration: Floats
    """(frames, channels): spectral density of the quantity's white acceleration, units^2/s^3."""
    lasting: Sequence[LastingError] = ()
    """Alike in all channels, and independent between them."""

    @property
    def size(self) -> int:
        """Of a state: the quantity, its rate, and the lasting errors."""
        return 2 + len(self.lasting)

    @property
    def rows(self) -> Floats:
        """(sources, size): what of the state each source sees."""
        rows = np.zeros((self.samples.shape[2], self.size))
        rows[:, 0] = 1
        for row, error in enumerate(self.lasting, start=2):
            rows[error.source, row] = 1
        return rows

    def steps(self, frames: slice) -> tuple[Floats, Floats]:
        """(frames, size, size) transitions from the frame before, and (frames, channels, size, size) what happens."""
        first = max(frames.start - 1, 0)
        dt = np.diff(self.times[first : frames.stop], prepend=self.times[:1] if frames.start == 0 else [])
        transitions = np.tile(np.eye(self.size), (len(dt), 1, 1))
        transitions[:, 0, 1] = dt
        drifts = np.zeros((len(dt), self.samples.shape[1], self.size, self.size))
        powers = np.array([[3, 2], [2, 1]])
        moved = dt[:, None, None] ** powers / np.array([[3, 2], [2, 1]])
        drifts[..., :2, :2] = self.acceleration[frames, :, None, None] * moved[:, None]
        for row, error in enumerate(self.lasting, start=2):
            kept = np.exp(-dt / error.seconds)
            transitions[:, row, row] = kept
            drifts[:, :, row, row] = (error.deviation**2 * (1 - kept**2))[:, None]
        return transitions, drifts


@dataclass
class _Estimate:
    """States (frames, channels, size) of a block, and their covariances."""

    state: Floats
    covariance: Floats


def smooth_sources(sources: Sources) -> Smoothed:
    """Estimate a quantity and its rate at each time from all samples, earlier and later.

    The smoother is that of Rauch, Tung and Striebel (AIAA J. 3(8), 1965). Memory: some arrays of the samples' size,
    and the states and covariances of `BLOCK_FRAMES`.

    Args:
        sources: at least one frame.

    Returns:
        The estimate. Where a channel has had no sample for long its variance says so; without any it is `UNKNOWN`.
    """
    frames, channels, _ = sources.samples.shape
    there = np.isfinite(sources.samples) & np.isfinite(sources.variances)
    values = np.where(there, sources.samples, 0.0)
    noise = np.where(there, sources.variances, NEVER)
    results = np.empty((4, frames, channels))
    weighed = noise
    for _ in range(PASSES):
        seen = _smooth_once(sources, values, weighed, there, results)
        share = (FREEDOM + 1) / (FREEDOM + (values - seen) ** 2 / noise)
        weighed = np.where(there, noise / share, NEVER)
    return Smoothed(*results)


def _smooth_once(sources: Sources, values: Floats, noise: Floats, there: NDArray[np.bool_], results: Floats) -> Floats:
    """Fill `results` with value, rate and their variances; gives what each source should have seen.

    The first run keeps the state before each block only; from the last block backwards each is run again.
    """
    frames, channels, _ = values.shape
    prior = np.diag([UNKNOWN, UNKNOWN, *(error.deviation**2 for error in sources.lasting)])
    start = _Estimate(np.zeros((channels, sources.size)), np.tile(prior, (channels, 1, 1)))
    blocks = [slice(first, min(first + BLOCK_FRAMES, frames)) for first in range(0, frames, BLOCK_FRAMES)]
    starts = [start]
    for block in blocks[:-1]:
        filtered, _ = _forward(sources, values, noise, there, block, starts[-1])
        starts.append(_Estimate(filtered.state[-1], filtered.covariance[-1]))
    seen = np.empty_like(values)
    after: _Estimate | None = None  # smoothed, in the first frame of the block after
    for block, before in zip(reversed(blocks), reversed(starts), strict=True):
        filtered, predicted = _forward(sources, values, noise, there, block, before)
        if after is not None:
            _learn_from_after(sources, filtered, block.stop, after)
        _backward(sources, filtered, predicted, block)
        after = _Estimate(filtered.state[0].copy(), filtered.covariance[0].copy())
        results[0, block], results[1, block] = filtered.state[..., 0], filtered.state[..., 1]
        results[2, block] = filtered.covariance[..., 0, 0]
        results[3, block] = filtered.covariance[..., 1, 1]
        seen[block] = filtered.state @ sources.rows.T
    return seen


def _forward(
    sources: Sources,
    values: Floats,
    noise: Floats,
    there: NDArray[np.bool_],
    block: slice,
    before: _Estimate,
) -> tuple[_Estimate, _Estimate]:
    """Kalman's filter over a block: what is known after each frame's samples, and before them."""
    transitions, drifts = sources.steps(block)
    rows: Floats = sources.rows
    any_there = np.asarray(there[block].any(axis=1), np.bool_)
    state, covariance = before.state, before.covariance
    shape = (block.stop - block.start, *state.shape)
    predicted = _Estimate(np.empty(shape), np.empty((*shape, sources.size)))
    filtered = _Estimate(np.empty(shape), np.empty((*shape, sources.size)))
    for k, frame in enumerate(range(block.start, block.stop)):
        if frame:
            state = state @ transitions[k].T
            covariance = transitions[k] @ covariance @ transitions[k].T + drifts[k]
        predicted.state[k], predicted.covariance[k] = state, covariance
        for source in np.flatnonzero(any_there[k]):
            row = rows[source]
            along = covariance @ row
            gain = along / (along @ row + noise[frame, :, source])[:, None]
            state = state + gain * (values[frame, :, source] - state @ row)[:, None]
            covariance = covariance - gain[:, :, None] * along[:, None, :]
        filtered.state[k], filtered.covariance[k] = state, covariance
    return filtered, predicted


def _learn_from_after(sources: Sources, filtered: _Estimate, frame: int, after: _Estimate) -> None:
    """Let the last frame of a block know what the smoothed frame after it knows."""
    transitions, drifts = sources.steps(slice(frame, frame + 1))
    state = filtered.state[-1] @ transitions[0].T
    covariance = transitions[0] @ filtered.covariance[-1] @ transitions[0].T + drifts[0]
    gain = np.linalg.solve(covariance, transitions[0] @ filtered.covariance[-1])
    filtered.state[-1] += ((after.state - state)[:, None] @ gain)[:, 0]
    filtered.covariance[-1] += gain.swapaxes(1, 2) @ (after.covariance - covariance) @ gain


def _backward(sources: Sources, filtered: _Estimate, predicted: _Estimate, block: slice) -> None:
    """Turn what the filter knew into what the smoother knows, in place."""
    transitions, _ = sources.steps(block)
    gains = np.linalg.solve(predicted.covariance[1:], transitions[1:, None] @ filtered.covariance[:-1])
    for k in range(len(gains) - 1, -1, -1):
        gain = gains[k]
        filtered.state[k] += ((filtered.state[k + 1] - predicted.state[k + 1])[:, None] @ gain)[:, 0]
        learnt = filtered.covariance[k + 1] - predicted.covariance[k + 1]
        filtered.covariance[k] += gain.swapaxes(1, 2) @ learnt @ gain
