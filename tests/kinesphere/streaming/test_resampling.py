"""Resampled episodes are what a slow and plain reading of the rules gives, on uneven times with gaps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from kinesphere.dataset import Dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.streaming.resampling import Neighbours, slerp
from kinesphere.streaming.time_grid import around_episode, grid_frames, grid_times
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import BASIC_ARRAYS, MISSING, Valid, from_stored
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table
from tests.support.uneven_recordings import timed_trajectory

SAME, APART = 20_000, 100_000_000
SOME = ("timestamp", "hands_world", "body_visibility", "wrist_pose", "grip", "valid")


def stored_arrays(frames: int, seed: int) -> dict[str, NDArray[Any]]:
    """Random stored values with holes; rotations are unit quaternions of either sign."""
    random = np.random.default_rng(seed)
    poses = np.empty((frames, 2, 7), np.float32)
    poses[..., :3] = random.normal(size=(frames, 2, 3))
    poses[..., 3:] = Rotation.random(2 * frames, random_state=seed).as_quat().reshape(frames, 2, 4)
    poses[random.random((frames, 2)) < 0.2] = np.nan
    hands = random.integers(-9000, 9000, (frames, 2, 21, 3)).astype(np.int16)
    hands[random.random((frames, 2, 21)) < 0.2] = MISSING
    grip = random.random((frames, 2)).astype(np.float32)
    grip[random.random((frames, 2)) < 0.2] = np.nan
    return {
        "hands_world": hands,
        "body_visibility": random.integers(0, 256, (frames, 33)).astype(np.uint8),
        "wrist_pose": poses,
        "grip": grip,
        "valid": random.integers(0, 64, frames).astype(np.uint8),
    }


def plainly(times: list[int], arrays: dict[str, NDArray[Any]], rate: float, longest: int) -> dict[str, list[Any]]:
    """The rules, one frame and one number after the other."""
    found: dict[str, list[Any]] = {name: [] for name in ("timestamp", *arrays)}
    k = 0
    while True:
        exactly = times[0] + Fraction(k) * 10**9 / Fraction(rate)
        time = round(exactly)
        if time > times[-1] + SAME:
            return found
        k += 1
        before = max(place for place, when in enumerate(times) if when <= time + SAME)
        hit = next((place for place, when in enumerate(times) if abs(when - time) <= SAME), None)
        before, after = (hit, hit) if hit is not None else (before, before + 1)
        nearest = after if times[after] - time < time - times[before] else before
        apart = times[after] - times[before] > longest
        found["timestamp"].append(time)
        for name, stored in arrays.items():
            values = from_stored(BASIC_ARRAYS[name], stored)
            if name in ("valid", "body_visibility"):
                found[name].append(values[nearest] * (not apart))
                continue
            one = np.full(values.shape[1:], np.nan)
            for place in np.ndindex(one.shape) if not apart else ():
                ends = values[(before, *place)], values[(after, *place)]
                one[place] = np.interp(time, (times[before], times[after] + (hit is not None)), ends)
            if name == "wrist_pose" and not apart and hit is None:
                for side in range(2):
                    ends = values[before, side, 3:], values[after, side, 3:]
                    if not np.isnan(ends).any():
                        turns = Rotation.from_quat(np.array(ends), scalar_first=True)
                        between = Slerp([0, times[after] - times[before]], turns)([time - times[before]])
                        one[side, 3:] = between.as_quat(scalar_first=True)[0]
            found[name].append(one)


def same_rotation(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Equal quaternions, whose sign does not matter."""
    sign = np.sign((found * wanted).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(found, np.where(np.isnan(sign), 1, sign) * wanted, atol=2e-6)


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.sampled_from([30_000, 8_000_000, 33_333_333, 40_000_000, 99_999_999, 100_000_000, 100_000_001, 700_000_000])
        | st.integers(25_000_000, 45_000_000),
        max_size=25,
    ),
    rate=st.sampled_from([0.5, 1.0, 7.3, 10.0, 25.0, 29.97, 30.0, 100.0, 240.0]),
    origin=st.integers(0, 10**13),
    seed=st.integers(0, 10**6),
)
@example(steps=[], rate=30.0, origin=5, seed=1)
@example(steps=[33_333_333] * 9, rate=30.0, origin=0, seed=2)
def test_resampling_follows_its_rules(steps: list[int], rate: float, origin: int, seed: int) -> None:
    times = origin + np.cumsum([0, *steps]).astype(np.int64)
    arrays = stored_arrays(len(times), seed)
    around = around_episode(times, 30.0, rate)
    wanted = plainly(times.tolist(), arrays, rate, APART)
    assert around.resampled(BASIC_ARRAYS["timestamp"], times).tolist() == wanted.pop("timestamp")
    for name, values in wanted.items():
        found = around.resampled(BASIC_ARRAYS[name], arrays[name])
        assert found.shape == (len(values), *BASIC_ARRAYS[name].shape)
        assert found.dtype == ("uint8" if name == "valid" else "float32")
        plain = np.array(values).reshape(found.shape)
        if name == "wrist_pose":
            same_rotation(found[..., 3:], plain[..., 3:])
            found, plain = found[..., :3], plain[..., :3]
        np.testing.assert_allclose(found, plain, atol=2e-6)


@given(
    data=st.data(),
    duration=st.integers(0, 10**13),
    rate=st.floats(0.001, 1000) | st.sampled_from([24.0, 29.97, 30.0, 30000 / 1001, 60.0]),
)
def test_times_of_the_grid_do_not_drift(data: st.DataObject, duration: int, rate: float) -> None:
    frames = int(grid_frames(np.array([duration]), rate)[0])
    assert frames >= 1
    k = data.draw(st.integers(0, frames - 1))
    exactly = Fraction(k) * 10**9 / Fraction(rate)
    assert abs(int(grid_times(k, k + 1, rate)[0]) - exactly) < Fraction(502, 1000), "nanoseconds"
    last, past = grid_times(frames - 1, frames + 1, rate)
    assert last <= duration + SAME < past


def test_whether_a_time_is_past_the_last_frame_is_asked_of_the_rounded_time() -> None:
    durations = np.array([33_333_332, 33_333_333, 66_666_666, 66_666_667]) - SAME  # frames 1 and 2 at 30 frames/s
    assert grid_frames(durations, 30.0).tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize("clock", [1_000_000_000, 1_000_000, 90_000, 30_000])
@pytest.mark.parametrize("rate", [24, 30000 / 1001, 30, 60])
def test_a_regular_recording_at_its_own_rate_is_what_was_stored(tmp_path: Path, clock: int, rate: float) -> None:
    # Containers round to a clock of theirs; segments begin in the middle.
    true = [Fraction(k) / Fraction(rate).limit_denominator(1001) for k in range(900)]
    times = np.array([round(Fraction(round(time * clock), clock) * 10**9) for time in true], np.int64)
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [timed_trajectory(times, seed=3)])
    rows = [
        make_row(shard, episode=f"e{first}", first_frame=first, length=length)
        for first, length in ((0, 900), (7, 501), (450, 450), (899, 1))
    ]
    dataset = Dataset(objects, write_version(objects, "regular", make_table(rows)))
    for row in range(len(dataset)):
        stored, resampled = dataset.episode(row), dataset.episode(row, rate=rate)
        for name in BASIC_ARRAYS:
            assert len(resampled[name]) == len(stored[name])
            if name == "timestamp":
                assert np.abs(resampled[name] - stored[name]).max() <= SAME
            else:
                assert resampled[name].tobytes() == stored[name].tobytes()


def test_how_far_apart_frames_may_be_follows_from_the_mean_rate() -> None:
    times = np.array([0, 250_000_000], np.int64)
    grip = np.array([[0, 0], [1, 1]], np.float32)
    valid = np.array([Valid.BODY, Valid.BODY], np.uint8)
    slow, fast = around_episode(times, 10.0, 40.0), around_episode(times, 10.1, 40.0)
    np.testing.assert_allclose(slow.resampled(BASIC_ARRAYS["grip"], grip)[:, 0], np.linspace(0, 1, 11), atol=1e-6)
    assert np.isfinite(fast.resampled(BASIC_ARRAYS["grip"], grip)[:, 0]).tolist() == [True, *[False] * 9, True]
    assert (slow.resampled(BASIC_ARRAYS["valid"], valid) == Valid.BODY).all()
    assert fast.resampled(BASIC_ARRAYS["valid"], valid).tolist() == [1, *[0] * 9, 1]


def test_pieces_cover_all_times_and_stay_small() -> None:
    stored: Integers = np.cumsum(np.random.default_rng(0).integers(1_000_000, 90_000_000, 4000))
    for rate in (0.05, 1.0, 30.0, 900.0):
        around = around_episode(stored, 30.0, rate)
        pieces = list(around.pieces(100))
        assert [piece.stop for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
        assert (pieces[0].start, pieces[-1].stop) == (0, len(around))
        for piece in pieces:
            assert around.after[piece][-1] + 1 - around.before[piece][0] <= 100
            assert 1 <= piece.stop - piece.start <= 1024
        assert len(pieces) <= 2 + len(around) // 1024 + 2 * 4000 // 50


@given(
    start=st.integers(0, 10**6),
    axis=st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda axis: np.linalg.norm(axis) > 0.1),
    angle=st.floats(0, 3.1) | st.sampled_from([0.0, 1e-12, 1e-9, 1e-7, 1e-4]),
    weight=st.floats(0, 1),
    sign=st.sampled_from([-1, 1]),
)
def test_rotations_go_the_shorter_way_at_a_steady_pace(
    start: int, axis: list[float], angle: float, weight: float, sign: int
) -> None:
    first = Rotation.random(random_state=start)
    last = Rotation.from_rotvec(angle * np.array(axis) / np.linalg.norm(axis)) * first
    a, b = (turn.as_quat(scalar_first=True) for turn in (first, last))
    found = slerp(a, sign * b, np.array([weight]))
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-12)
    wanted = Slerp([0, 1], Rotation.concatenate([first, last]))([weight])
    assert (Rotation.from_quat(found, scalar_first=True).inv() * wanted).magnitude()[0] < 1e-7


def test_the_nearest_frame_is_the_earlier_of_two_that_are_as_near() -> None:
    stored = np.array([0, 30_000_000, 60_000_000], np.int64)
    around = Neighbours.of(stored, np.array([15_000_000, 45_000_001], np.int64), APART)
    assert around.nearest.tolist() == [0, 2]


def test_times_that_go_back_are_an_error_and_never_a_guess(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    made = timed_trajectory(np.arange(20) * 33_333_333, seed=1)
    times = made.arrays["timestamp"].copy()
    times[7] = 1
    shard = write_shard(objects, [replace(made, arrays={**made.arrays, "timestamp": times})])
    dataset = Dataset(objects, write_version(objects, "odd", make_table([make_row(shard)])))
    assert len(list(dataset.stream(8, 4, ["grip"]))) == 4
    for read in (lambda: dataset.stream(8, 4, ["grip"], rate=30.0), lambda: dataset.episode(0, rate=30.0)):
        with pytest.raises(CorruptObject, match=rf"the times of frames in '{shard.key}' go back"):
            read()


@pytest.mark.parametrize("rate", [0, -1, 0.0009, 1001, float("nan"), float("inf"), "30"])
def test_a_rate_out_of_range_is_refused(kitchen: Dataset, rate: Any) -> None:
    with pytest.raises(InvalidInput, match=r"rate should be frames per second, from 0\.001 to 1000, got"):
        kitchen.episode(0, rate=rate)
    with pytest.raises(InvalidInput, match="rate should be"):
        kitchen.stream(8, 4, rate=rate)


def test_what_lies_between_stored_numbers_is_no_stored_number(kitchen: Dataset) -> None:
    with pytest.raises(InvalidInput, match='rate needs dtype="float32"'):
        kitchen.stream(8, 4, rate=30.0, dtype="int16")


def test_the_times_of_an_episode_at_a_rate_are_asked_for_like_any_array(kitchen: Dataset) -> None:
    for rate in (10, 55.5):
        found = kitchen.episode(0, SOME, rate=rate)
        first, last = kitchen.episode(0, ["timestamp"])["timestamp"][[0, -1]]
        steps = np.diff(found["timestamp"])
        assert found["timestamp"][0] == first and last - 1e9 / rate < found["timestamp"][-1] <= last
        assert np.abs(steps - 1e9 / rate).max() <= 1
        assert {len(values) for values in found.values()} == {len(steps) + 1}
