"""Normalised numbers have the scale that each method promises, and come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinesphere import DropInvalid, Mirror, Normalize, RelativeActions, Statistics, Valid
from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.transforms.normalize import Method
from kinesphere.transforms.transform import Batch
from tests.support.transform_inputs import unchanged


@pytest.mark.parametrize("method", ["mean_std", "quantile", "min_max"])
def test_normalised_numbers_come_back_and_rotations_are_left_alone(
    method: Method, batch: Batch, statistics: Statistics
) -> None:
    keys = ("wrist_pose", "hands_world", "body_visibility")
    normalize = Normalize(statistics, method, arrays=keys)
    found = unchanged(normalize, batch)
    np.testing.assert_array_equal(found["wrist_pose"][..., 3:], batch["wrist_pose"][..., 3:])
    np.testing.assert_array_equal(found["grip"], batch["grip"])
    back = unchanged(normalize.inverse, found)
    for name in keys:
        assert found[name].dtype == back[name].dtype == np.float32
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(batch[name]))
        np.testing.assert_allclose(back[name], batch[name], atol=1e-6)
    assert not np.allclose(found["hands_world"], batch["hands_world"], atol=0.1, equal_nan=True)


def test_all_frames_together_have_the_scale_that_each_method_promises(kitchen: Dataset, statistics: Statistics) -> None:
    whole = [kitchen.episode(row, ["hands_world"])["hands_world"] for row in range(len(kitchen))]
    batch = {"hands_world": np.concatenate(whole)}
    keys = ("hands_world",)
    standard = Normalize(statistics, arrays=keys)(batch)["hands_world"].astype(np.float64)
    np.testing.assert_allclose(np.nanmean(standard, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(standard, axis=0), 1, atol=1e-5)
    least_most = Normalize(statistics, "min_max", arrays=keys)(batch)["hands_world"]
    np.testing.assert_allclose(np.nanmin(least_most, axis=0), -1, atol=1e-6)
    np.testing.assert_allclose(np.nanmax(least_most, axis=0), 1, atol=1e-6)
    quantile = Normalize(statistics, "quantile", arrays=keys)(batch)["hands_world"]
    beyond = (np.abs(quantile) > 1 + 1e-6).sum(axis=0) / np.isfinite(quantile).sum(axis=0)
    assert (beyond > 0.005).all() and (beyond <= 0.02).all()


def test_actions_are_normalised_but_not_their_rotations(batch: Batch, action_statistics: Statistics) -> None:
    with_action = RelativeActions(4)(batch)
    normalize = Normalize(action_statistics, "quantile", arrays=("action",))
    found = unchanged(normalize, with_action)["action"]
    np.testing.assert_array_equal(found[..., 3:], with_action["action"][..., 3:])
    low, high = (action_statistics.arrays["action"].percentiles[percent][:, :3] for percent in (1, 99))
    expected = 2 * (with_action["action"][..., :3] - low) / (high - low) - 1
    np.testing.assert_allclose(found[..., :3], expected, atol=1e-5)
    policy = {"action": found[:, 0]}  # what a policy gives: a chunk, and nothing else
    np.testing.assert_allclose(normalize.inverse(policy)["action"], with_action["action"][:, 0], atol=1e-6)


@pytest.mark.parametrize("method", ["mean_std", "quantile", "min_max"])
def test_a_constant_number_becomes_zero_and_one_never_seen_stays(
    method: Method, batch: Batch, statistics: Statistics
) -> None:
    grips = statistics.arrays["grip"]
    half = np.array([0.3, np.nan])
    constant = replace(
        grips, mean=half, std=np.array([1e-17, np.nan]), minimum=half, maximum=half,
        percentiles=dict.fromkeys(grips.percentiles, half),
    )  # fmt: skip
    normalize = Normalize(replace(statistics, arrays={"grip": constant}), method, arrays=("grip",))
    batch = batch | {"grip": np.full_like(batch["grip"], 0.3)}
    found = normalize(batch)["grip"]
    assert (np.abs(found[..., 0]) < 1e-7).all() and (found[..., 1] == np.float32(0.3)).all()
    np.testing.assert_allclose(normalize.inverse({"grip": found})["grip"], 0.3, atol=1e-6)


def test_normalize_refuses_what_it_cannot_do(batch: Batch, statistics: Statistics) -> None:
    with pytest.raises(InvalidInput, match="method should be one of mean_std, quantile, min_max"):
        Normalize(statistics, "mean", arrays=("grip",))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no statistics of"):
        Normalize(statistics, arrays=("grip", "timestamp"))
    with pytest.raises(InvalidInput, match="arrays should be"):
        Normalize(statistics, arrays=())
    with pytest.raises(InvalidInput, match="grip as float32; stream with dtype"):
        Normalize(statistics, arrays=("grip",))(batch | {"grip": batch["valid"]})
    with pytest.raises(InvalidInput, match="nothing to bring back"):
        Normalize(statistics, arrays=("grip",)).inverse({"action": batch["grip"]})


def test_transforms_follow_one_another(batch: Batch, statistics: Statistics, action_statistics: Statistics) -> None:
    found = batch
    for transform in (
        DropInvalid(Valid.RIGHT_HAND, 0.9),
        Mirror(seed=3),
        RelativeActions(4),
        Normalize(statistics, "quantile", arrays=("wrist_pose", "grip")),
        Normalize(action_statistics, "quantile", arrays=("action",)),
    ):
        assert set(transform.keys) <= set(batch), "the stream alone has what they ask it for"
        found = unchanged(transform, found)
    assert 0 < len(found["action"]) < len(batch["mask"]) and np.isfinite(found["action"]).any()
