from __future__ import annotations

import resource
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.signals.signals import Signals, signal_names, signals, signals_key, signals_of
from annotate.signals.trajectory_reader import BLOCK_FRAMES, TrajectoryReader, in_memory, open_trajectory
from kinesphere.errors import Conflict, CorruptObject, InvalidInput, NotFound
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.trajectory import BASIC_ARRAYS, BODY_LANDMARKS, Trajectory
from storage.workspace import Workspace
from tests.support.generated_trajectories import EXTRACTOR, make_trajectory
from tests.support.populated_workspaces import add_recording, populate

LEFT_WRIST = BODY_LANDMARKS.index("left_wrist")


def changed(trajectory: Trajectory, **arrays: NDArray[Any]) -> Trajectory:
    """The same trajectory with other arrays."""
    size = trajectory.image_width, trajectory.image_height
    return Trajectory("r", "anna", EXTRACTOR, *size, "relative", {}, {**trajectory.arrays, **arrays})


def missing(frames: int) -> Trajectory:
    """A trajectory in which nothing was found."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.full((frames, *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()
    }
    arrays["timestamp"] = np.arange(frames, dtype=np.int64) * 33_333_333
    arrays["valid"] = np.zeros(frames, np.uint8)
    for name in ("body_visibility", "hand_score"):
        arrays[name] = np.nan_to_num(arrays[name])
    return Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays)


def drifting(frames: int, speed: float, times_ns: NDArray[np.int64]) -> Trajectory:
    """Everything moves to the right alike, by so many image heights a second."""
    moved = (speed * times_ns / 1e9)[:, None] * 720 / 1280
    arrays = dict(missing(frames).arrays)
    for name in ("body_image", "hands_image"):
        values = np.zeros(arrays[name].shape, np.float32)
        values[..., 0] = moved.reshape(frames, *(1,) * (values.ndim - 2))
        arrays[name] = values
    arrays["body_visibility"] = np.full((frames, 33), 0.8, np.float32)
    arrays["timestamp"] = times_ns
    return changed(missing(frames), **arrays)


def test_a_recording_has_every_signal_with_its_unit_for_every_frame(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1}, frames=300)
    recording = workspace.catalog.recordings()[0].recording
    found = signals(workspace, recording)
    assert found.names == signal_names()
    assert len(found.units) == len(found.names)
    assert found.frames == 300
    for name in found.names:
        assert found.values(name).shape == (300,)
        assert found.values(name).dtype == np.float32
    stored = open_trajectory(workspace, recording).read("grip", 0, 300)
    assert np.array_equal(found.values("left grip"), stored[:, 0], equal_nan=True)


def test_speeds_are_those_of_an_even_motion_whatever_the_frame_times() -> None:
    times = np.cumsum(np.random.default_rng(0).integers(10, 60, 400)).astype(np.int64) * 1_000_000
    found = signals_of(in_memory(drifting(400, 0.3, times)))
    for name in ("motion energy", "left hand speed", "right hand speed"):
        # positions are stored in steps of 1e-4 widths, which is 2 % of what is moved in 10 ms
        np.testing.assert_allclose(found.values(name), 0.3, atol=0.02)
        assert abs(found.values(name).mean() - 0.3) < 0.002


def test_a_hand_that_is_not_found_has_the_speed_of_the_bodys_wrist() -> None:
    trajectory = drifting(60, 0.3, np.arange(60, dtype=np.int64) * 33_333_333)
    hands = trajectory.arrays["hands_image"].copy()
    hands[20:40, 0] = np.nan
    found = signals_of(in_memory(changed(trajectory, hands_image=hands)))
    np.testing.assert_allclose(found.values("left hand speed"), 0.3, atol=0.02)
    body = trajectory.arrays["body_image"].copy()
    body[:, LEFT_WRIST] = np.nan
    found = signals_of(in_memory(changed(trajectory, hands_image=hands, body_image=body)))
    assert np.flatnonzero(np.isnan(found.values("left hand speed"))).tolist() == list(range(20, 40))


def test_landmarks_that_are_not_visible_hardly_count_as_motion() -> None:
    trajectory = drifting(60, 0.0, np.arange(60, dtype=np.int64) * 33_333_333)
    body = trajectory.arrays["body_image"].copy()
    body[:, 25:, 0] += np.random.default_rng(0).normal(0, 0.1, (60, 8)).astype(np.float32)
    seen = trajectory.arrays["body_visibility"].copy()
    restless = signals_of(in_memory(changed(trajectory, body_image=body))).values("motion energy")
    seen[:, 25:] = 0
    calm = signals_of(in_memory(changed(trajectory, body_image=body, body_visibility=seen))).values("motion energy")
    assert restless.min() > 0.3
    assert calm.max() == 0


def test_the_edges_of_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory = in_memory(make_trajectory(500, seed=3))
    whole = signals_of(trajectory)
    monkeypatch.setattr("annotate.signals.trajectory_reader.BLOCK_FRAMES", 64)
    in_blocks = signals_of(trajectory)
    np.testing.assert_array_equal(whole.levels[0], in_blocks.levels[0])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_and_nothing_found_give_missing_values_and_no_warning(frames: int) -> None:
    found = signals_of(in_memory(missing(frames)))
    for name in ("motion energy", "left hand speed", "right grip"):
        assert np.isnan(found.values(name)).all()
    assert (found.values("body visibility") == 0).all()
    assert found.levels[-1].shape == (len(found.names), 1, 2)


def test_frames_that_share_a_time_have_no_speed_between_them() -> None:
    times = np.array([0, 0, 33_333_333, 33_333_333], np.int64)
    found = signals_of(in_memory(drifting(4, 0.3, times)))
    np.testing.assert_allclose(found.values("motion energy"), [np.nan, 0.3, 0.3, np.nan], atol=0.02)


@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=300),
    st.data(),
)
def test_every_level_holds_the_least_and_greatest_of_its_frames(values: list[float], data: st.DataObject) -> None:
    found = pyramid(values)
    level = data.draw(st.integers(0, len(found.levels) - 1))
    start = data.draw(st.integers(0, len(values) - 1))
    end = data.draw(st.integers(start + 1, len(values)))
    part = found.part(level, start, end, ["left grip"])[0]
    size = 1 << level
    first = start // size
    assert len(part) == -(-end // size) - first
    for run, (least, greatest) in enumerate(part, first):
        inside = np.array(values[run * size : (run + 1) * size], np.float32)
        if np.isnan(inside).all():
            assert np.isnan(least)
            assert np.isnan(greatest)
        else:
            assert (least, greatest) == (np.nanmin(inside), np.nanmax(inside))


def test_bytes_are_little_endian_pairs_signal_after_signal() -> None:
    found = signals_of(in_memory(make_trajectory(100, seed=1)))
    sent = found.to_bytes(2, 10, 60, ["right grip", "motion energy"])
    expected = found.part(2, 10, 60, ["right grip", "motion energy"])
    assert expected.shape == (2, 13, 2)
    np.testing.assert_array_equal(np.frombuffer(sent, "<f4").reshape(expected.shape), expected)


def test_what_is_asked_for_must_be_there() -> None:
    found = signals_of(in_memory(make_trajectory(100, seed=1)))
    with pytest.raises(InvalidInput, match="level should be 0 to 7, got 8"):
        found.part(8, 0, 100)
    for start, end in ((0, 101), (-1, 5), (5, 5), (6, 5)):
        with pytest.raises(InvalidInput, match="do not lie in 0 to 100"):
            found.part(0, start, end)
    with pytest.raises(InvalidInput, match=r"no signal 'speed' \(there is: motion energy"):
        found.to_bytes(0, 0, 1, ["speed"])


def test_the_key_names_shard_frames_and_way_of_computing(workspace: Workspace) -> None:
    populate(workspace, {"anna": 2})
    first, second = (open_trajectory(workspace, row.recording) for row in workspace.catalog.recordings())
    assert signals_key(first) == signals_of(first).key
    assert signals_key(first) != signals_key(second)
    assert signals_key(first).startswith(Shard(workspace.objects, first.key.split("-")[0]).shard_id)


def test_a_recording_without_a_trajectory_says_what_to_run(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    waiting = add_recording(workspace, "anna", seed=9, accept=False).recording
    with pytest.raises(Conflict, match=f"kinesphere process {waiting}"):
        signals(workspace, waiting)
    with pytest.raises(NotFound, match="no recording named 'nothing'"):
        signals(workspace, "nothing")


def test_a_damaged_shard_is_named(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    recording = workspace.catalog.recordings()[0].recording
    place = workspace.catalog.trajectory(recording)
    assert place is not None
    workspace.objects.put(f"{shard_key(place.shard)}/grip/c/0/0", b"nothing")
    with pytest.raises(CorruptObject, match="grip"):
        signals(workspace, recording)


@pytest.mark.slow
def test_two_hours_take_bounded_memory(workspace: Workspace) -> None:
    """Of what is read, a few blocks are held at a time; the result takes 21 MB."""
    frames = 216_000
    block = in_memory(make_trajectory(BLOCK_FRAMES, seed=1))

    def read_stored(name: str, start: int, stop: int) -> NDArray[Any]:
        if name == "timestamp":
            return np.arange(start, stop, dtype=np.int64) * 33_333_333
        at = np.arange(start, stop) % BLOCK_FRAMES
        return block.read_stored(name, 0, BLOCK_FRAMES)[at]

    signals_of(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = signals_of(TrajectoryReader("k", "r", frames, 1280, 720, read_stored))
    assert found.frames == frames
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000


def pyramid(values: list[float]) -> Signals:
    """Signals of which the left grip has these values."""
    trajectory = missing(len(values))
    grip = trajectory.arrays["grip"].copy()
    grip[:, 0] = values
    return signals_of(in_memory(changed(trajectory, grip=grip)))
