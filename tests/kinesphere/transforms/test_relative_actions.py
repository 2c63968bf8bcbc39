"""Relative actions are those of motions whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere import Mirror, RelativeActions, absolute_poses, convert_rotation
from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.transforms.relative_actions import relative_actions
from kinesphere.transforms.rotations import NUMBERS, Form
from kinesphere.transforms.transform import Batch
from kinesphere.transforms.wrist_velocity import wrist_velocity
from tests.support.transform_inputs import moving, unchanged, uneven


def matrices(poses: NDArray[Any]) -> NDArray[np.float64]:
    found = np.tile(np.eye(4), (*poses.shape[:-1], 1, 1))
    found[..., :3, :3] = (
        Rotation.from_quat(poses[..., 3:].reshape(-1, 4), scalar_first=True)
        .as_matrix()
        .reshape(*poses.shape[:-1], 3, 3)
    )
    found[..., :3, 3] = poses[..., :3]
    return found


def test_actions_are_the_later_poses_in_the_frame_of_the_hand() -> None:
    poses = moving(uneven(10), (0.5, -0.3, 0.2), (3, 1, -2))
    actions = relative_actions(poses, 4)
    assert actions.shape == (10, 4, 2, 9)
    whole = matrices(poses)
    for frame in range(10):
        for step in range(1, 5):
            if frame + step >= 10:
                assert np.isnan(actions[frame, step - 1]).all()
                continue
            true = np.linalg.inv(whole[frame]) @ whole[frame + step]
            np.testing.assert_allclose(actions[frame, step - 1, :, :3], true[:, :3, 3], atol=1e-5)
            np.testing.assert_allclose(actions[frame, step - 1, :, 3:6], true[:, :3, 0], atol=1e-5)
            np.testing.assert_allclose(actions[frame, step - 1, :, 6:], true[:, :3, 1], atol=1e-5)


def test_actions_do_not_depend_on_where_the_camera_stands() -> None:
    poses = moving(uneven(6), (0.5, -0.3, 0.2), (3, 1, -2)).astype(np.float64)
    camera = Rotation.from_rotvec([0.3, -1.2, 0.5])
    moved = poses.copy()
    moved[..., :3] = camera.apply(poses[..., :3].reshape(-1, 3)).reshape(6, 2, 3) + np.array([1, 2, 3])
    turned = camera * Rotation.from_quat(poses[..., 3:].reshape(-1, 4), scalar_first=True)
    moved[..., 3:] = turned.as_quat(scalar_first=True).reshape(6, 2, 4)
    np.testing.assert_allclose(relative_actions(moved, 3), relative_actions(poses, 3), atol=1e-5)


def test_a_missing_hand_has_no_actions_and_is_none() -> None:
    poses = moving(uneven(5), (1, 0, 0), (0, 0, 0))
    poses[2, 0] = np.nan
    actions = relative_actions(poses, 2)
    assert np.isnan(actions[2, :, 0]).all() and np.isnan(actions[1, 0, 0]).all() and np.isnan(actions[0, 1, 0]).all()
    assert np.isfinite(actions[:3, :, 1]).all()
    assert relative_actions(np.stack([poses, poses]), 2).shape == (2, 5, 2, 2, 9)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(\.\.\., T, 2, 7\)"):
        relative_actions(np.zeros((5, 7)), 1)
    with pytest.raises(InvalidInput, match="at least 1"):
        relative_actions(np.zeros((5, 2, 7)), 0)
    with pytest.raises(InvalidInput, match="timestamp"):
        wrist_velocity(np.zeros(4, np.int64), np.zeros((5, 2, 7)))


def test_relative_actions_are_those_of_motion(batch: Batch) -> None:
    for horizon in (1, 7):
        found = unchanged(RelativeActions(horizon), batch)
        np.testing.assert_array_equal(found["action"], relative_actions(batch["wrist_pose"], horizon))
        assert found["action"].shape == (*batch["mask"].shape, horizon, 2, 9)
        assert found.keys() == batch.keys() | {"action", "action_mask"}
    with pytest.raises(InvalidInput, match="at least 1"):
        RelativeActions(0)
    with pytest.raises(InvalidInput, match="needs wrist_pose"):
        RelativeActions(1)({"mask": batch["mask"]})


@pytest.mark.parametrize("rotation", ["6d", "quaternion", "matrix"])
@pytest.mark.parametrize("grip", [False, True])
def test_actions_come_in_any_form_and_lead_back_to_the_poses(rotation: Form, grip: bool) -> None:
    poses = moving(uneven(12), (0.5, -0.3, 0.2), (3, 1, -2))
    poses[5, 1] = np.nan
    closing = np.linspace(0, 1, 24).reshape(12, 2).astype(np.float32)
    actions = relative_actions(poses, 4, rotation=rotation, grip=closing if grip else None)
    assert actions.shape == (12, 4, 2, 3 + NUMBERS[rotation] + grip)
    plain = relative_actions(poses, 4)
    np.testing.assert_array_equal(np.isnan(actions).any(axis=-1), np.isnan(plain).any(axis=-1))
    turned = convert_rotation(actions[..., 3 : 3 + NUMBERS[rotation]], rotation, "6d")
    np.testing.assert_allclose(turned, plain[..., 3:], atol=1e-5)
    for frame in range(12):
        for step in range(min(4, 11 - frame)):
            there = ~np.isnan(actions[frame, step]).any(axis=-1)
            if grip:
                np.testing.assert_array_equal(actions[frame, step, there, -1], closing[frame + step + 1, there])
            reached = absolute_poses(poses[frame], actions[frame], rotation)[step]
            np.testing.assert_allclose(matrices(reached[there]), matrices(poses[frame + step + 1, there]), atol=1e-5)
            assert np.isnan(reached[~there]).all()


@pytest.mark.parametrize("at", [0, 3, 9, -1, -5])
def test_the_actions_of_one_frame_are_those_among_all(at: int) -> None:
    poses = np.stack([moving(uneven(10), (0.5, -0.3, 0.2), (3, 1, -2), seed=seed) for seed in range(3)])
    closing = np.random.default_rng(0).random((3, 10, 2), np.float32)
    options: dict[str, Any] = {"grip": closing, "rotation": "quaternion"}
    whole = relative_actions(poses, 4, **options)
    found = relative_actions(poses, 4, at=at, **options)
    assert found.shape == (3, 4, 2, 8)
    np.testing.assert_array_equal(found, whole[:, at])


def test_a_batch_has_the_actions_of_its_current_frame(kitchen: Dataset) -> None:
    keys = ["wrist_pose", "grip"]
    transform = RelativeActions(6, at=4, grip=True)
    options: dict[str, Any] = {"history": 4, "future": 6, "stride": 7}
    batch = next(iter(kitchen.stream(1, 50, keys, transform=transform, **options)))
    plain = next(iter(kitchen.stream(1, 50, keys, transform=RelativeActions(6, grip=True), **options)))
    assert batch["action"].shape == (50, 6, 2, 10)
    assert batch["action_mask"].any()
    np.testing.assert_array_equal(batch["action"], plain["action"][:, 4])
    np.testing.assert_array_equal(batch["action_mask"], plain["action_mask"][:, 4])


@pytest.mark.parametrize("rotation", ["6d", "quaternion", "matrix"])
def test_actions_of_any_form_are_mirrored(kitchen: Dataset, rotation: Form) -> None:
    actions = RelativeActions(3, grip=True, rotation=rotation)
    batch = next(iter(kitchen.stream(12, 50, ["wrist_pose", "grip"], stride=7)))
    batch["wrist_pose"][..., 3:] /= np.linalg.norm(batch["wrist_pose"][..., 3:], axis=-1, keepdims=True)
    before, after = Mirror(1.0)(actions(batch)), actions(Mirror(1.0)(batch))
    np.testing.assert_array_equal(before["action_mask"], after["action_mask"])
    left, right = before["action"], after["action"]
    if rotation == "quaternion":  # either sign is the same rotation
        left, right = (convert_rotation(each[..., 3:7], rotation, "6d") for each in (left, right))
    np.testing.assert_allclose(left, right, atol=1e-5)


def test_there_is_no_such_frame() -> None:
    with pytest.raises(InvalidInput, match="no frame 5 among 5"):
        relative_actions(moving(uneven(5), (1, 0, 0), (0, 0, 0)), 2, at=5)
