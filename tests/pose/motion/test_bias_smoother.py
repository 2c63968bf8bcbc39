"""A quantity is found among sources that err alike for long, its deviations hold, and memory does not show."""

from __future__ import annotations

import numpy as np
import pytest

from pose.motion import bias_smoother
from pose.motion.bias_smoother import Floats, LastingError, Sources, smooth_sources

RATE = 30.0
NORMAL_90 = 1.645


def _times(frames: int) -> Floats:
    return np.arange(frames) / RATE


def _wandering(random: np.random.Generator, frames: int, channels: int, deviation: float, seconds: float) -> Floats:
    """A first-order Gauss-Markov process: (frames, channels)."""
    kept = np.exp(-1 / RATE / seconds)
    values = np.empty((frames, channels))
    values[0] = random.normal(0, deviation, channels)
    for k in range(1, frames):
        values[k] = kept * values[k - 1] + random.normal(0, deviation * np.sqrt(1 - kept**2), channels)
    return values


def _moving(random: np.random.Generator, frames: int, channels: int, density: float) -> tuple[Floats, Floats]:
    """An integral of an integral of white acceleration, and its rate."""
    rate = np.cumsum(random.normal(0, np.sqrt(density / RATE), (frames, channels)), axis=0)
    return np.cumsum(rate / RATE, axis=0), rate


def _sources(samples: Floats, variance: float | Floats, density: float, *lasting: LastingError) -> Sources:
    frames, channels, _ = samples.shape
    acceleration = np.full((frames, channels), density)
    return Sources(_times(frames), samples, np.broadcast_to(variance, samples.shape), acceleration, lasting)


def test_a_straight_line_is_followed_and_its_rate_found() -> None:
    line = 2 + 0.7 * _times(60)
    found = smooth_sources(_sources(line[:, None, None], 1e-4, 1e-3))
    assert found.value[:, 0] == pytest.approx(line, abs=1e-6)
    assert found.rate[:, 0] == pytest.approx(0.7, abs=1e-5)


def test_deviations_hold_for_quantity_and_rate() -> None:
    random = np.random.default_rng(0)
    truth, rate = _moving(random, 600, 40, density=0.5)
    near = truth + _wandering(random, 600, 40, 0.05, 0.7) + random.normal(0, 0.02, truth.shape)
    far = truth + random.normal(0, 0.1, (1, 40)) + random.normal(0, 0.15, truth.shape)
    lasting = LastingError(0, 0.05, 0.7), LastingError(1, 0.1, np.inf)
    variances = np.array([0.02, 0.15]) ** 2
    found = smooth_sources(_sources(np.stack([near, far], axis=2), variances, 0.5, *lasting))
    error, rate_error = np.abs(found.value - truth), np.abs(found.rate - rate)
    assert 0.87 < (error < NORMAL_90 * np.sqrt(found.variance)).mean() < 0.94
    assert 0.87 < (rate_error < NORMAL_90 * np.sqrt(found.rate_variance)).mean() < 0.94
    assert error.mean() < 0.8 * np.abs(near - truth).mean()


def test_many_samples_do_not_make_a_lasting_error_small() -> None:
    samples = np.full((3000, 1, 1), 1.0)
    found = smooth_sources(_sources(samples, 1e-4, 1e-8, LastingError(0, 0.1, np.inf)))
    assert np.sqrt(found.variance[1500, 0]) == pytest.approx(0.1, rel=0.05)


def test_a_source_that_knows_better_corrects_the_other_where_it_is_silent() -> None:
    samples = np.full((200, 1, 2), np.nan)
    samples[:, 0, 0] = 1.3  # off by 0.3 all along
    samples[:50, 0, 1] = 1.0
    lasting = LastingError(0, 0.3, np.inf), LastingError(1, 0.01, np.inf)
    found = smooth_sources(_sources(samples, 1e-4, 1e-6, *lasting))
    assert found.value[:, 0] == pytest.approx(1.0, abs=0.02)


def test_what_is_far_off_for_a_moment_has_hardly_a_say() -> None:
    samples = np.zeros((90, 1, 1))
    samples[40:44] = 3.0
    found = smooth_sources(_sources(samples, 0.02**2, 0.5))
    assert np.abs(found.value).max() < 0.05


def test_without_samples_nothing_is_known() -> None:
    found = smooth_sources(_sources(np.full((5, 2, 1), np.nan), 1.0, 0.1))
    assert (found.variance >= 0.99 * bias_smoother.UNKNOWN).all()


def test_one_frame_will_do() -> None:
    found = smooth_sources(_sources(np.full((1, 1, 1), 4.0), 1e-4, 0.1))
    assert found.value[0, 0] == pytest.approx(4, abs=1e-6)


@pytest.mark.parametrize("block", [1, 7, 50])
def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    random = np.random.default_rng(2)
    truth, _ = _moving(random, 101, 2, density=0.5)
    samples = (truth + random.normal(0, 0.05, truth.shape))[..., None]
    samples[30:60] = np.nan
    sources = _sources(samples, 0.05**2, 0.5, LastingError(0, 0.05, 0.5))
    whole = smooth_sources(sources)
    monkeypatch.setattr(bias_smoother, "BLOCK_FRAMES", block)
    parts = smooth_sources(sources)
    assert parts.value == pytest.approx(whole.value, abs=1e-9)
    assert parts.rate == pytest.approx(whole.rate, abs=1e-8)
    assert parts.variance == pytest.approx(whole.variance, rel=1e-6)
