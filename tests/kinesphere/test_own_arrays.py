"""Arrays that are no standard ones: a shard says which it has, and every reader goes by that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.streaming.resampling import Neighbours
from kinesphere.trajectory import ARRAYS, BASIC_ARRAYS, ArraySpec
from kinesphere.transforms.mirror import Mirror
from kinesphere.transforms.normalize import Normalize
from tests.support.generated_trajectories import make_trajectory
from tests.support.own_arrays import ELBOWS, OWN, TOOL, TOUCHES, own_dataset, own_trajectory

NAMES = ["timestamp", "valid", "elbow_angle", "tool_world", "touches"]


@pytest.fixture
def own(tmp_path: Path) -> Dataset:
    """Two contributors, three episodes of 300, 40 and 500 frames."""
    trajectories = {
        "anna": [own_trajectory(300, seed=1), own_trajectory(40, seed=2)],
        "ben": [own_trajectory(500, seed=3, contributor="ben")],
    }
    own_dataset(open_objects(tmp_path), "own", trajectories)
    return open_dataset(tmp_path / "datasets/own")


def test_an_episode_has_what_its_shard_has(own: Dataset) -> None:
    assert own.arrays == {"timestamp": ARRAYS["timestamp"], "valid": ARRAYS["valid"], **{s.name: s for s in OWN}}
    assert list(own.arrays) == NAMES
    episode, made = own.episode(1), own_trajectory(40, seed=2)
    assert list(episode) == NAMES
    for name, values in episode.items():
        tolerance = (own.arrays[name].scale_factor or 0) / 2 + 1e-6
        np.testing.assert_allclose(values, made.arrays[name], atol=tolerance, rtol=0)
        assert values.dtype == own.arrays[name].in_units
    with pytest.raises(InvalidInput, match=r"some of timestamp, valid, elbow_angle, tool_world, touches, video, each"):
        own.episode(0, ["grip"])


@pytest.mark.parametrize("options", [{}, {"sampling": "random"}, {"dtype": "int16"}])
@pytest.mark.parametrize("keys", [["elbow_angle"], ["touches", "tool_world", "valid"], None])
def test_windows_equal_slices_of_episodes(own: Dataset, keys: list[str] | None, options: dict[str, Any]) -> None:
    stream = own.stream(32, 16, keys, stride=8, shuffle=True, **options)
    scales = stream.scales
    assert scales == ({"tool_world": 1e-3} if keys != ["elbow_angle"] else {})
    windows = 0
    for batch in stream:
        windows += len(batch["mask"])
        assert [key for key in batch if key not in ("mask", "episode", "frame")] == (keys or NAMES)
        for row, (episode, frame) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
            whole = own.episode(int(episode), keys)
            for name, expected in whole.items():
                values = batch[name][row]
                if values.dtype == np.int16:
                    values = np.where(values == -32768, np.nan, values * scales[name])
                np.testing.assert_allclose(values, expected[frame : frame + 32], rtol=1e-6)
    assert windows == stream.windows


def test_what_is_no_array_of_the_first_episode_is_named(own: Dataset) -> None:
    with pytest.raises(
        InvalidInput, match=r"keys should be a list of some of timestamp, valid, elbow.*\['knee_angle'\]"
    ):
        own.stream(8, 4, ["knee_angle"])
    stream = own.stream(8, 4, ["grip"])  # standard arrays are known without asking a shard
    with pytest.raises(InvalidInput, match=r"shard [0-9a-f]{32} has no array 'grip' \(it has: timestamp, valid, elbow"):
        list(stream)
    with pytest.raises(InvalidInput, match="transform Normalize needs elbow_angle: add it to keys"):
        own.stream(8, 4, ["touches"], transform=Normalize(own.statistics(), arrays=("elbow_angle",)))


def test_shards_that_disagree_are_an_error_and_never_a_shorter_epoch(tmp_path: Path) -> None:
    three = ArraySpec("elbow_angle", "float32", (3,), ("frame", "joint"), "rad", "of three joints")
    trajectories = {
        "anna": [own_trajectory(50, seed=1)],
        "ben": [own_trajectory(50, seed=2, contributor="ben", extra=[three, TOOL])],
    }
    own_dataset(open_objects(tmp_path), "own", trajectories)
    dataset = open_dataset(tmp_path / "datasets/own")
    other = dataset.episodes["shard"][1].as_py()
    message = (
        rf"array 'elbow_angle' of shard {other} is float32 \[3\], and float32 \[2\] in the first of these episodes"
    )
    for rate in (None, 10):
        with pytest.raises(InvalidInput, match=message):
            list(dataset.stream(8, 4, ["elbow_angle"], rate=rate))
        with pytest.raises(InvalidInput, match=rf"shard {other} has no array 'touches'"):
            list(dataset.stream(8, 4, ["touches"], rate=rate))
        assert len(list(dataset.stream(8, 4, ["tool_world"], rate=rate)))
    assert list(dataset.episode(1)) == ["timestamp", "valid", "elbow_angle", "tool_world"]
    with pytest.raises(
        InvalidInput, match=r"array 'elbow_angle' is float32 \[[23]\] in shard .* no statistics of both"
    ):
        dataset.statistics()


def test_standard_keys_cost_no_request_when_a_stream_is_made(tmp_path: Path) -> None:
    own_dataset(open_objects(tmp_path), "kitchen", {"anna": [make_trajectory(50)], "ben": [own_trajectory(50)]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    before = dataset.requests
    dataset.stream(8, 4, ["grip", "wrist_pose", "valid"])
    assert dataset.requests == before
    assert set(dataset.arrays) == set(BASIC_ARRAYS)
    assert dataset.requests == before + 1


def test_numbers_are_interpolated_and_whole_ones_are_the_nearest_frames(own: Dataset) -> None:
    around = Neighbours.of(np.array([0, 100_000_000]), np.array([0, 40_000_000, 100_000_000]), 10**9)
    angles = np.array([[0, 1], [1, 3]], np.float32)
    np.testing.assert_allclose(around.resampled(ELBOWS, angles), np.array([[0, 1], [0.4, 1.8], [1, 3]]), atol=1e-6)
    assert around.resampled(TOUCHES, np.array([5, 2**40])).tolist() == [5, 5, 2**40]
    resampled = own.episode(0, rate=10)
    assert {name: values.dtype for name, values in resampled.items()} == {
        name: np.dtype(spec.in_units) for name, spec in own.arrays.items()
    }
    (batch,) = own.stream(len(resampled["valid"]), 1, rate=10, where=f"episode = '{own.episodes['episode'][0]}'")
    for name, values in resampled.items():
        np.testing.assert_array_equal(batch[name][0], values)


def test_statistics_have_every_array_that_can_be_averaged(own: Dataset) -> None:
    found = own.statistics()
    assert list(found.arrays) == ["elbow_angle", "tool_world"]
    angles = np.concatenate([own.episode(row, ["elbow_angle"])["elbow_angle"] for row in range(3)])
    np.testing.assert_allclose(found.arrays["elbow_angle"].mean, np.nanmean(angles, axis=0), rtol=1e-6)
    assert (found.arrays["elbow_angle"].count == (~np.isnan(angles)).sum(axis=0)).all()
    assert found.valid["body"] == found.frames == 840
    batch = next(iter(own.stream(16, 8, ["elbow_angle"], transform=Normalize(found, arrays=("elbow_angle",)))))
    assert abs(np.nanmean(batch["elbow_angle"])) < 1


def test_an_array_that_some_shards_have_is_counted_in_these(tmp_path: Path) -> None:
    own_dataset(open_objects(tmp_path), "mixed", {"anna": [make_trajectory(50)], "ben": [own_trajectory(30)]})
    found = open_dataset(tmp_path / "datasets/mixed").statistics()
    assert set(found.arrays) == {*BASIC_ARRAYS, "elbow_angle", "tool_world"} - {"timestamp", "valid"}
    assert found.frames == 80 and found.arrays["hand_score"].count.max() == 50
    assert found.arrays["elbow_angle"].count.tolist() == [25, 25]


def test_wide_and_single_numbers_are_counted_exactly(tmp_path: Path) -> None:
    """More columns than the counters of a pass have room for are counted in parts."""
    wide = ArraySpec("skin", "float32", (40,), ("frame", "sensor"), "N", "force on each sensor")
    single = ArraySpec("load", "float32", (), ("frame",), "kg", "what is lifted")
    own_dataset(open_objects(tmp_path), "own", {"anna": [own_trajectory(60, extra=[wide, single])]})
    dataset = open_dataset(tmp_path / "datasets/own")
    found, values = dataset.statistics(), dataset.episode(0)
    for name in ("skin", "load"):
        there = values[name][~np.isnan(values[name].reshape(60, -1)).any(axis=1)].astype(np.float64)
        np.testing.assert_allclose(found.arrays[name].mean, there.mean(axis=0), rtol=1e-9)
        np.testing.assert_array_equal(found.arrays[name].maximum, there.max(axis=0))
        median = np.quantile(there, 0.5, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(found.arrays[name].percentiles[50], median)
    assert dataset.statistics().is_stored
    np.testing.assert_array_equal(dataset.statistics().arrays["load"].mean, found.arrays["load"].mean)


def test_mirror_refuses_what_it_does_not_know(own: Dataset) -> None:
    with pytest.raises(InvalidInput, match="it is not known how to mirror elbow_angle"):
        next(iter(own.stream(8, 4, ["elbow_angle", "valid"], transform=Mirror())))
