"""Statistics of what is trained on: a condition, a split, a rate, and the actions as they are made there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere import Normalize, RelativeActions
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput, NotFound
from kinesphere.objects.store import open_objects
from kinesphere.statistics.statistics import ArrayStatistics, Statistics
from kinesphere.trajectory import BASIC_ARRAYS
from kinesphere.transforms.relative_actions import relative_actions
from kinesphere.transforms.rotations import Form
from kinesphere.transforms.wrist_velocity import wrist_velocity
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.uneven_recordings import timed_trajectory, uneven_times

ONE = "label = 'pour'"


def agree(found: ArrayStatistics, values: NDArray[Any]) -> None:
    """Hold them to NumPy's."""
    values = values.astype(np.float64)
    np.testing.assert_array_equal(found.count, np.isfinite(values).sum(axis=0))
    np.testing.assert_allclose(found.mean, np.nanmean(values, axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.std, np.nanstd(values, axis=0), rtol=1e-5, atol=1e-6)
    median = np.nanquantile(values, 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(found.percentiles[50], median)


def frames(dataset: Dataset, rows: list[int], rate: float | None = None) -> list[dict[str, NDArray[Any]]]:
    return [dataset.episode(row, rate=rate) for row in rows]


def rows_of(dataset: Dataset, label: str) -> list[int]:
    return [row for row, found in enumerate(dataset.episodes["label"].to_pylist()) if found == label]


@pytest.mark.parametrize("rate", [None, 17.0])
@pytest.mark.parametrize("where", [None, ONE])
def test_they_are_of_the_frames_that_the_stream_hands_over(
    kitchen: Dataset, where: str | None, rate: float | None
) -> None:
    if where is None and rate is None:
        return
    found = kitchen.statistics(where=where, rate=rate)
    chosen = frames(kitchen, rows_of(kitchen, "pour") if where else list(range(len(kitchen))), rate)
    assert set(found.arrays) == set(BASIC_ARRAYS) - {"timestamp", "valid"}
    for name, values in found.arrays.items():
        agree(values, np.concatenate([arrays[name] for arrays in chosen]))
    valid = np.concatenate([arrays["valid"] for arrays in chosen])
    assert found.frames == len(valid)
    assert found.valid["body"] == np.count_nonzero(valid & 1)
    assert (found.where, found.rate, found.is_stored) == (where, rate, False)
    again = Statistics.from_json(json.loads(json.dumps(found.to_json())))
    assert (again.where, again.rate) == (where, rate)


@pytest.mark.parametrize("rate", [None, 17.0])
@pytest.mark.parametrize(("grip", "rotation"), [(False, "6d"), (True, "quaternion")])
def test_actions_at_a_rate(
    kitchen: Dataset, rate: float | None, grip: bool, rotation: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinesphere.statistics.frame_passes.ACTION_PIECE", 1)  # pieces of 256 frames
    found = kitchen.action_statistics(5, rate=rate, grip=grip, rotation=rotation, where=ONE)
    derived = frames(kitchen, rows_of(kitchen, "pour"), rate)
    numbers = {"6d": 9, "quaternion": 7}[rotation] + grip
    made = [
        relative_actions(arrays["wrist_pose"], 5, grip=arrays["grip"] if grip else None, rotation=rotation)
        for arrays in derived
    ]
    agree(found.arrays["action"], np.concatenate([actions.reshape(-1, 2, numbers) for actions in made]))
    velocities = [wrist_velocity(arrays["timestamp"], arrays["wrist_pose"]) for arrays in derived]
    agree(found.arrays["wrist_velocity"], np.concatenate(velocities))


def test_what_was_normalised_at_a_rate_has_a_deviation_of_one(kitchen: Dataset) -> None:
    statistics = kitchen.action_statistics(4, rate=10.0)
    transform: list[Any] = [RelativeActions(4), Normalize(statistics, arrays=("action",))]
    stream = kitchen.stream(1, 400, ["wrist_pose"], rate=10.0, future=4, transform=transform)
    actions = np.concatenate([batch["action"][:, 0].copy() for batch in stream]).reshape(-1, 2, 9)
    assert np.nanstd(actions[..., :3], axis=0) == pytest.approx(np.ones((2, 3)), rel=1e-3)
    assert np.nanmean(actions[..., :3], axis=0) == pytest.approx(np.zeros((2, 3)), abs=1e-3)


def test_those_of_a_split_leave_out_who_is_tested_on(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    shards = {
        name: write_shard(objects, [make_trajectory(90, seed=number, contributor=name)])
        for number, name in enumerate(("anna", "ben", "carla", "dan", "eva", "finn"))
    }
    rows = [make_row(shard, episode=name) for name, shard in shards.items()]
    rule = {"by": "contributor", "salt": "s", "shares": [["train", 0.5], ["test", 0.5]]}
    write_version(objects, "halves", make_table(rows), rules={"splits": rule})
    dataset = open_dataset(tmp_path / "datasets/halves")
    train = dataset.rows_of_split("train").tolist()
    assert 0 < len(train) < 6
    agree(dataset.statistics(split="train").arrays["grip"], np.concatenate([dataset[row]["grip"] for row in train]))
    assert dataset.action_statistics(2, split="train").split == "train"
    with pytest.raises(InvalidInput, match="train"):
        dataset.statistics(split="nobody")


def test_uneven_times_are_resampled(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [timed_trajectory(uneven_times(300, 2), seed=2)])
    write_version(objects, "uneven", make_table([make_row(shard)]))
    dataset = open_dataset(tmp_path / "datasets/uneven")
    found = dataset.statistics(rate=40.0)
    agree(found.arrays["grip"], dataset.episode(0, rate=40.0)["grip"])


def test_what_is_no_choice_is_refused(kitchen: Dataset) -> None:
    with pytest.raises(InvalidInput, match="matches none"):
        kitchen.statistics(where="label = 'nothing'")
    with pytest.raises(InvalidInput, match="has no splits"):
        kitchen.statistics(split="train")
    with pytest.raises(InvalidInput, match="rate"):
        kitchen.action_statistics(3, rate=0)
    with pytest.raises(NotFound, match="not kept"):
        kitchen.statistics(compute=False, where=ONE)


def test_an_episode_has_an_index(kitchen: Dataset) -> None:
    assert [len(arrays["valid"]) for arrays in map(kitchen.__getitem__, range(6))] == kitchen.episodes[
        "length"
    ].to_pylist()
    np.testing.assert_array_equal(kitchen[-1]["grip"], kitchen.episode(len(kitchen) - 1)["grip"])
    with pytest.raises(IndexError, match="rows 0 to 5, not 6"):
        kitchen[6]
    with pytest.raises(InvalidInput, match=r"dataset\.episode takes ids"):
        kitchen["0"]  # type: ignore[index]
