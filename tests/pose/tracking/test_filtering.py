"""Smoothing of tracks against motions that are known: no lag, no ghosts, nothing made up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.trajectory import Valid
from pose.tracking.filtering import FilterSettings, smooth_tracks
from pose.tracking.track_collector import TrackBuilder
from tests.support.generated_trajectories import make_trajectory

Arrays = dict[str, NDArray[Any]]
SETTINGS = FilterSettings()
LANDMARKS = ("body_image", "body_world", "hands_image", "hands_world")
HAND_BITS = Valid.LEFT_HAND | Valid.RIGHT_HAND


def even(frames: int, rate: float = 30) -> NDArray[np.int64]:
    return np.asarray(np.round(np.arange(frames) * 1e9 / rate), np.int64)


def moving(times: NDArray[np.int64], motion: NDArray[np.floating[Any]]) -> Arrays:
    """A body and two hands, fully visible, all of whose landmarks make the same motion, in metres."""
    random = np.random.default_rng(0)
    shapes = {"body": (33, 3), "hands": (2, 21, 3)}
    arrays: Arrays = {"timestamp": times, "valid": np.full(len(times), Valid.BODY | HAND_BITS, np.uint8)}
    arrays["body_visibility"] = np.ones((len(times), 33), np.float32)
    arrays["hand_score"] = np.ones((len(times), 2), np.float32)
    for part, shape in shapes.items():
        pose = random.uniform(-0.4, 0.4, shape) if part == "body" else random.uniform(-0.08, 0.08, shape)
        world = pose + motion.reshape(-1, *[1] * len(shape))
        arrays[f"{part}_world"] = world.astype(np.float32)
        arrays[f"{part}_image"] = (0.5 + 0.4 * world).astype(np.float32)
    return arrays


def copied(arrays: Arrays) -> Arrays:
    return {name: values.copy() for name, values in arrays.items()}


def smoothed(arrays: Arrays, settings: FilterSettings = SETTINGS) -> Arrays:
    out = copied(arrays)
    smooth_tracks(out, settings)
    return out


def lose(arrays: Arrays, rows: slice, *, side: int) -> None:
    """Take a hand away, as the extractor leaves it."""
    for name in ("hands_image", "hands_world"):
        arrays[name][rows, side] = np.nan
    arrays["hand_score"][rows, side] = 0
    arrays["valid"][rows] &= np.uint8(0xFF ^ (Valid.LEFT_HAND, Valid.RIGHT_HAND)[side])


@pytest.mark.parametrize("frequency", [1, 2, 3, 5])
@pytest.mark.parametrize("rate", [30, 60])
def test_a_sine_keeps_its_amplitude_and_does_not_lag(frequency: float, rate: float) -> None:
    times = even(10 * int(rate), rate)
    phase = 2 * np.pi * frequency * times / 1e9
    out = smoothed(moving(times, 0.05 * np.sin(phase)))["body_world"][:, 15, 0]
    inside = slice(int(rate), -int(rate))
    sine, cosine = np.linalg.lstsq(
        np.column_stack([np.sin(phase), np.cos(phase), np.ones(len(phase))])[inside], out[inside], rcond=None
    )[0][:2]
    assert np.hypot(sine, cosine) == pytest.approx(0.05, rel=0.03)
    assert abs(np.arctan2(cosine, sine)) < 0.003
    lags = [np.dot(out[inside] - out.mean(), np.roll(np.sin(phase), lag)[inside]) for lag in range(-3, 4)]
    assert np.argmax(lags) == 3


def test_jitter_above_the_cut_off_goes() -> None:
    times = even(300)
    buzz = 0.002 * np.where(np.arange(300) % 2, 1, -1)
    out = smoothed(moving(times, buzz))["hands_world"][:, 0, 0, 0]
    assert np.ptp(out[30:-30]) < 0.15 * np.ptp(buzz)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.booleans())
@example(149, False)  # a knuckle that is so far out that the palm is all but turned over, and back
@example(69, True)
def test_noise_outliers_and_gaps_leave_less_error_than_they_made(seed: int, uneven: bool) -> None:
    random = np.random.default_rng(seed)
    times = even(150)
    if uneven:
        times = np.asarray(times + random.integers(-6_000_000, 6_000_000, 150), np.int64)
    seconds = times / 1e9
    motion = sum(0.1 / f * np.sin(2 * np.pi * f * seconds + random.uniform(0, 6)) for f in random.uniform(0.2, 2, 3))
    truth = moving(times, np.asarray(motion))
    noisy = copied(truth)
    for name in LANDMARKS:
        noisy[name] += random.normal(0, 0.003, noisy[name].shape).astype(np.float32)
    for frame in random.choice(np.arange(5, 145, 10), 8, replace=False):  # several in a row would be a movement
        noisy["hands_world"][frame, 0, random.integers(21)] += random.choice([-1, 1]) * 0.15
    before = copied(noisy)
    lose(noisy, slice(70, 73), side=1)
    after = smoothed(noisy)
    for name in LANDMARKS:
        raw_error = np.sqrt(np.mean((before[name] - truth[name]) ** 2))
        assert np.sqrt(np.mean((after[name] - truth[name]) ** 2)) < 0.9 * raw_error, name
    left = np.abs(after["hands_world"][:, 0] - truth["hands_world"][:, 0]).max(axis=(1, 2)) > 0.075
    assert not left.any()


def test_time_reversed_gives_the_same_reversed() -> None:
    random = np.random.default_rng(0)
    times = np.asarray(even(120) + random.integers(-6_000_000, 6_000_000, 120), np.int64)
    arrays = moving(times, 0.1 * np.sin(2 * np.pi * times / 1e9) + random.normal(0, 0.003, 120))
    arrays["hands_world"][[20, 50, 51, 80], 0, 8] += 0.2
    lose(arrays, slice(60, 63), side=1)
    backwards = {name: values[::-1].copy() for name, values in arrays.items()}
    backwards["timestamp"] = arrays["timestamp"][-1] - backwards["timestamp"]
    there, back = smoothed(arrays), smoothed(backwards)
    for name in (*LANDMARKS, "valid"):
        np.testing.assert_allclose(there[name], back[name][::-1], atol=1e-6)


def test_what_does_not_move_stays_exactly_where_it_is() -> None:
    still = moving(even(100), np.zeros(100))
    out = smoothed(still)
    for name in LANDMARKS:
        np.testing.assert_allclose(out[name], still[name], rtol=0, atol=1e-7)
    assert (out["valid"] & Valid.INTERPOLATED == 0).all()
    assert (out["valid"] & Valid.SMOOTHED > 0).all()


def test_a_short_gap_is_filled_and_said_so_and_a_long_one_stays_missing() -> None:
    times = even(120)
    arrays = moving(times, 0.1 * np.sin(2 * np.pi * times / 1e9))
    truth = copied(arrays)
    lose(arrays, slice(40, 44), side=0)
    lose(arrays, slice(80, 90), side=0)
    out = smoothed(arrays)
    assert np.isnan(out["hands_image"][80:90, 0]).all() and np.isnan(out["hands_world"][80:90, 0]).all()
    assert np.isfinite(np.delete(out["hands_world"], np.s_[80:90], axis=0)).all()
    np.testing.assert_allclose(out["hands_world"][40:44, 0], truth["hands_world"][40:44, 0], atol=0.004)
    assert np.flatnonzero(out["valid"] & Valid.INTERPOLATED).tolist() == [40, 41, 42, 43]
    for name in ("hand_score", "body_visibility", "timestamp"):
        np.testing.assert_array_equal(out[name], arrays[name])
    done = Valid.INTERPOLATED | Valid.SMOOTHED
    np.testing.assert_array_equal(out["valid"] & (0xFF ^ done), arrays["valid"])


def test_nothing_bridges_a_jump_to_another_person() -> None:
    times = even(90)
    jump = np.where(np.arange(90) < 45, 0.0, 0.9)
    arrays = moving(times, jump)
    arrays["body_world"] = moving(times, np.zeros(90))["body_world"]  # the model hides that it is somebody else
    arrays["body_world"][45:] *= 1.2
    out = smoothed(arrays)
    np.testing.assert_allclose(out["body_image"], arrays["body_image"], atol=1e-4)
    np.testing.assert_allclose(out["body_world"], arrays["body_world"], atol=1e-4)
    for name in ("body_image", "body_world"):
        arrays[name][43:46] = np.nan
    assert np.isnan(smoothed(arrays)["body_image"][43:46]).all()


TRUNK_PAIRS = [(11, 12), (23, 24)]


def turn_over(arrays: Arrays, rows: slice) -> None:
    """Let the network take left for right in the body, and the back of the left hand for its palm."""
    for name in ("body_image", "body_world"):
        for left, right in TRUNK_PAIRS:
            arrays[name][rows, [left, right]] = arrays[name][rows, [right, left]]
    arrays["hands_world"][rows, 0, :, 2] *= -1
    arrays["hands_world"][rows, 0, :, 0] *= -1


def flat_hands(arrays: Arrays) -> Arrays:
    """Let the hands lie in the picture's plane, so that they are turned over by turning x about."""
    for name in ("hands_image", "hands_world"):
        arrays[name][..., 2] = 0
    return arrays


def test_what_turns_over_in_the_network_alone_and_back_at_once_is_put_right() -> None:
    truth = flat_hands(moving(even(60), np.zeros(60)))
    arrays = copied(truth)
    turn_over(arrays, slice(30, 33))
    out = smoothed(arrays)
    for name in LANDMARKS:
        np.testing.assert_allclose(out[name], truth[name], atol=1e-4)
    assert np.flatnonzero(out["valid"] & Valid.INTERPOLATED).tolist() == [30, 31, 32]


def test_nothing_bridges_what_turns_over_and_stays() -> None:
    arrays = flat_hands(moving(even(60), np.zeros(60)))
    turn_over(arrays, slice(30, None))
    out = smoothed(arrays)
    for name in LANDMARKS:
        np.testing.assert_allclose(out[name], arrays[name], atol=1e-4)


def test_nothing_bridges_the_edge_of_frames_whose_person_is_unsure() -> None:
    times = even(60)
    arrays = moving(times, 0.3 * times / 1e9)
    arrays["valid"][30:] |= np.uint8(Valid.UNSURE)
    lose(arrays, slice(28, 31), side=1)
    assert np.isnan(smoothed(arrays)["hands_image"][28:31, 1]).all()


def test_a_joint_that_flies_off_is_put_back_on_its_bone() -> None:
    arrays = moving(even(90), np.zeros(90))
    truth = copied(arrays)
    arrays["hands_world"][40:43, 0, 8] += 0.3  # the tip of the index finger, for a tenth of a second
    out = smoothed(arrays)
    np.testing.assert_allclose(out["hands_world"], truth["hands_world"], atol=1e-3)
    assert not (out["valid"] & Valid.INTERPOLATED).any(), "one landmark does not make a frame interpolated"


def test_a_poorly_seen_landmark_is_smoothed_more() -> None:
    times = even(200)
    arrays = moving(times, np.random.default_rng(1).normal(0, 0.003, 200))
    arrays["body_visibility"][:, 16] = 0.2
    out = smoothed(arrays)["body_world"][:, :, 0]
    assert out[:, 16].std() < 0.9 * out[:, 15].std()


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_very_short_recordings_pass(frames: int) -> None:
    arrays = moving(even(frames), np.zeros(frames))
    np.testing.assert_allclose(smoothed(arrays)["body_image"], arrays["body_image"], atol=1e-6)


def test_a_recording_in_which_nobody_is_found_is_left_alone() -> None:
    arrays = TrackBuilder().finish()
    smooth_tracks(arrays, SETTINGS)
    tracks = TrackBuilder()
    for row in range(3):
        tracks.add(row, None, (None, None))
    arrays = tracks.finish()
    smooth_tracks(arrays, SETTINGS)
    assert not arrays["valid"].any() and np.isnan(arrays["body_image"]).all()


def test_the_edges_of_blocks_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = dict(make_trajectory(400, gaps=0.05).arrays)
    whole = smoothed(arrays)
    monkeypatch.setattr("pose.tracking.filtering.BLOCK_FRAMES", 40)
    in_blocks = smoothed(arrays)
    for name in (*LANDMARKS, "valid"):
        np.testing.assert_allclose(in_blocks[name], whole[name], atol=1e-6)


def test_the_settings_decide_what_is_smoothed_and_filled() -> None:
    times = even(120)
    arrays = moving(times, 0.02 * np.sin(2 * np.pi * 3 * times / 1e9))
    lose(arrays, slice(40, 50), side=0)
    slow = smoothed(arrays, replace(SETTINGS, cutoff_hz=2))
    assert np.ptp(slow["body_world"][30:-30, 0, 0]) < 0.6 * 0.04
    patient = smoothed(arrays, replace(SETTINGS, longest_gap_seconds=0.5))
    assert np.isfinite(patient["hands_world"]).all()
