"""Weights say how sure a value is: their formula, their shapes, and that they come with any kind of stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects
from kinesphere.streaming.frame_weights import FLOORS
from kinesphere.trajectory import ARRAYS, ArraySpec
from kinesphere.transforms.transform import Batch
from tests.support.expected_windows import same_batches
from tests.support.generated_trajectories import make_dataset, make_trajectory
from tests.support.own_arrays import own_dataset, own_trajectory

LENGTHS = {"anna": [400, 30], "ben": [300]}
COUNTED = {
    "body_image": (2, (33,)),
    "body_world": (3, (33,)),
    "hands_image": (2, (2, 21)),
    "hands_world": (3, (2, 21)),
    "wrist_pose": (3, (2,)),
    "grip": (None, (2,)),
    "wrist_velocity": (3, (2,)),
}
"""How many of the last axis count, and the shape of a frame's weights."""


@pytest.fixture(scope="module")
def sure(store: Objects) -> Dataset:
    return Dataset(store, make_dataset(store, "sure", LENGTHS, with_sd=LENGTHS))


def weights(deviations: Any, key: str, floor: float) -> Any:
    counted, _ = COUNTED[key]
    square = deviations.astype(np.float64) ** 2
    square = square if counted is None else square[..., :counted].mean(axis=-1)
    return np.nan_to_num(floor**2 / (floor**2 + square), nan=0.0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(list(COUNTED)),
    floor=st.none() | st.floats(1e-4, 10),
    dtype=st.sampled_from(["float32", "int16"]),
    named=st.booleans(),
    window=st.integers(1, 80),
    options=st.sampled_from([{}, {"history": 7, "future": 3}, {"shuffle": True}, {"rate": 21.0}]),
)
def test_every_value_weighs_what_its_standard_deviation_says(
    sure: Dataset, key: str, floor: float | None, dtype: Any, named: bool, window: int, options: dict[str, Any]
) -> None:
    if "rate" in options:
        dtype = "float32"
    asked = {key: floor} if floor is not None else key
    keys = ["grip", f"{key}_sd"] if named and key != "grip" else ["grip"]
    stream = sure.stream(window, 9, keys, stride=17, weight_by=asked, dtype=dtype, **options)
    floats = sure.stream(window, 9, [f"{key}_sd"], stride=17, **options)
    for batch, wanted in zip(stream, floats, strict=True):
        assert set(batch) == {*keys, "weight", "mask", "episode", "frame"}
        found = batch["weight"]
        assert found.dtype == np.float32 and found.shape == (*batch["mask"].shape, *COUNTED[key][1])
        np.testing.assert_allclose(found, weights(wanted[f"{key}_sd"], key, floor or FLOORS[key]), rtol=1e-5)
        assert (found[~batch["mask"]] == 0).all() and found.min() >= 0 and found.max() <= 1


def test_a_value_as_sure_as_the_floor_weighs_a_half(sure: Dataset) -> None:
    half = float(np.sqrt(np.nanmean(sure.episode(0, ["grip_sd"])["grip_sd"][0, 0].astype(float) ** 2)))
    first = next(iter(sure.stream(1, 1, ["grip"], weight_by={"grip": half})))["weight"][0, 0, 0]
    assert first == pytest.approx(0.5, rel=1e-5) or first == 0


def test_they_change_neither_windows_nor_their_order_and_states_are_good_for_all(sure: Dataset) -> None:
    options: dict[str, Any] = {"shuffle": True, "seed": 3, "stride": 5}
    ours = list(sure.stream(16, 20, ["grip"], weight_by="wrist_pose", **options))
    without = [{name: batch[name] for name in batch if name != "weight"} for batch in ours]
    assert same_batches(without, list(sure.stream(16, 20, ["grip"], **options)))
    later = sure.stream(16, 20, ["grip"], weight_by="wrist_pose", **options)
    for _, _ in zip(range(4), later, strict=False):
        pass
    resumed = sure.stream(16, 20, ["grip"], weight_by="grip", **options)
    resumed.load_state_dict(later.state_dict())
    assert [batch["frame"].tolist() for batch in resumed] == [batch["frame"].tolist() for batch in ours[4:]]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning")
def test_workers_give_the_same_ones(sure: Dataset) -> None:
    options: dict[str, Any] = {"shuffle": True, "stride": 9, "weight_by": {"body_world": 0.05}}
    alone = list(sure.stream(16, 20, ["valid"], **options))
    loader = DataLoader(sure.torch(16, 20, ["valid"], **options), batch_size=None, num_workers=2)
    assert same_batches([{name: tensor.numpy() for name, tensor in batch.items()} for batch in loader], alone)


def test_a_transform_may_need_them(sure: Dataset) -> None:
    class Halve:
        keys = ("weight", "grip")

        def __call__(self, batch: Batch) -> Batch:
            return batch | {"weight": batch["weight"] / 2}

    plain = next(iter(sure.stream(8, 4, ["grip"], weight_by="grip")))
    halved = next(iter(sure.stream(8, 4, ["grip"], weight_by="grip", transform=Halve())))
    np.testing.assert_array_equal(halved["weight"], plain["weight"] / 2)
    assert "weight" in next(iter(sure.stream(8, 4, weight_by="grip", transform=Halve())))
    with pytest.raises(InvalidInput, match="transform Halve needs weight"):
        sure.stream(8, 4, ["grip"], transform=Halve())


def test_memory_is_counted(sure: Dataset) -> None:
    plain, weighed = (sure.stream(64, 64, ["grip"], weight_by=by).memory_parts for by in (None, "body_world"))
    frames = 64 * 64
    assert weighed["batches"] - plain["batches"] >= 4 * frames * (33 * 3 + 33) * 4
    assert weighed["pools"] > plain["pools"] and weighed["shards"] > plain["shards"]


def test_arrays_of_an_extractor_of_ones_own_are_weighed_too(store: Objects) -> None:
    specs = (
        ArraySpec("tool_world_sd", "float32", (4, 3), ("frame", "tool_landmark", "xyz"), "m", ""),
        ArraySpec("touches_sd", "int64", (), ("frame",), "1", ""),
        ArraySpec("weight", "float32", (), ("frame",), "N", "on the scales"),
    )
    dataset = Dataset(store, own_dataset(store, "own", {"anna": [own_trajectory(60, extra=specs)]}))
    (batch,) = dataset.stream(60, 1, ["valid"], weight_by={"tool_world": 0.1})
    deviations = dataset.episode(0, ["tool_world_sd"])["tool_world_sd"].astype(float)
    want = np.nan_to_num(0.01 / (0.01 + (deviations**2).mean(axis=-1)), nan=0)
    np.testing.assert_allclose(batch["weight"][0], want, rtol=1e-5)
    with pytest.raises(InvalidInput, match=r"'touches_sd' is int64 .* which are no standard deviations"):
        dataset.stream(8, 1, ["valid"], weight_by={"touches": 1.0})
    for keys in (["weight"], None):
        with pytest.raises(InvalidInput, match="weight_by adds 'weight', and an array has this name"):
            dataset.stream(8, 1, keys, weight_by={"tool_world": 0.1})


def test_a_version_without_standard_deviations_says_what_to_do(kitchen: Dataset) -> None:
    with pytest.raises(
        InvalidInput,
        match=r"kitchen@1 cannot be weighed by 'wrist_pose': shard [0-9a-f]{32} has no array 'wrist_pose_sd' .* "
        r"extract its recordings again \(kinesphere process --again RECORDING\) and publish",
    ):
        kitchen.stream(8, 4, ["grip"], weight_by="wrist_pose")


@pytest.mark.parametrize(
    ("weight_by", "message"),
    [
        ("timestamp", "weight_by='timestamp' needs the standard deviation at which a weight is a half"),
        ({"grip": 0}, "weight_by should be the name of an array, or one name with a positive"),
        ({"grip": float("nan")}, "weight_by should be"),
        ({"grip": "much"}, "weight_by should be"),
        ({"grip": 0.1, "wrist_pose": 0.1}, "weight_by should be"),
        ({}, "weight_by should be"),
        (["grip"], "weight_by should be"),
    ],
)
def test_what_is_no_way_to_weigh_is_refused(kitchen: Dataset, weight_by: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(8, 4, ["grip"], weight_by=weight_by)


def test_every_array_with_standard_deviations_has_a_floor() -> None:
    assert {f"{key}_sd" for key in FLOORS} == {name for name, spec in ARRAYS.items() if spec.log_scale is not None}
    assert make_trajectory(9).specs.keys().isdisjoint(f"{key}_sd" for key in FLOORS)
