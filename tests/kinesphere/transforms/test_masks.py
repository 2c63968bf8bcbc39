"""A mask an array, and what missing values become."""

from typing import Any

import numpy as np
import pytest

from kinesphere import Masks, RelativeActions
from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.transforms.transform import Batch
from tests.support.transform_inputs import unchanged


@pytest.fixture
def batch(kitchen: Dataset) -> Batch:
    keys = ["wrist_pose", "grip", "body_world", "valid"]
    found = next(iter(kitchen.stream(24, 40, keys, history=4, stride=11, transform=RelativeActions(6))))
    assert np.isnan(found["wrist_pose"]).any()
    return found


def test_the_mask_of_a_window_does_not_tell_what_was_found(batch: Batch) -> None:
    missing = np.asarray(np.isnan(batch["action"]).any(axis=-1))
    assert missing[batch["mask"]].any(), "this is why an action has a mask of its own"
    np.testing.assert_array_equal(batch["action_mask"], ~missing)


def test_every_array_gets_a_mask(batch: Batch) -> None:
    found = unchanged(Masks(), batch)
    added = {name: found[name].shape[2:] for name in set(found) - set(batch)}
    assert added == {"wrist_pose_mask": (2,), "grip_mask": (2,), "body_world_mask": (33,)}
    for name in ("wrist_pose", "body_world"):
        np.testing.assert_array_equal(found[f"{name}_mask"], ~np.isnan(batch[name]).any(axis=-1))
        assert not found[f"{name}_mask"][~batch["mask"]].any()
    np.testing.assert_array_equal(found["action_mask"], batch["action_mask"])


@pytest.mark.parametrize("fill", [0.0, -1.5])
def test_missing_values_become_a_number(batch: Batch, fill: float) -> None:
    found = unchanged(Masks(fill=fill), batch)
    for name in ("wrist_pose", "grip", "body_world", "action"):
        there = ~np.isnan(batch[name])
        assert found[name].dtype == np.float32
        assert (found[name][~there] == fill).all()
        np.testing.assert_array_equal(found[name][there], batch[name][there])


def test_the_last_value_is_held(batch: Batch) -> None:
    found = unchanged(Masks(fill="hold"), batch)["grip"]
    expected = batch["grip"].copy()
    for row in expected:
        for side in range(2):
            last = 0.0
            for frame in range(len(row)):
                last = row[frame, side] = last if np.isnan(row[frame, side]) else row[frame, side]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("fill", ["before", float("nan"), float("inf"), [0]])
def test_odd_fills_are_refused(fill: Any) -> None:
    with pytest.raises(InvalidInput, match="fill should be"):
        Masks(fill=fill)
