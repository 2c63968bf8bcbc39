"""Relative actions are those of motions whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere import RelativeActions
from kinesphere.errors import InvalidInput
from kinesphere.transforms.relative_actions import relative_actions
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
        assert found.keys() == batch.keys() | {"action"}
    with pytest.raises(InvalidInput, match="at least 1"):
        RelativeActions(0)
    with pytest.raises(InvalidInput, match="needs wrist_pose"):
        RelativeActions(1)({"mask": batch["mask"]})
