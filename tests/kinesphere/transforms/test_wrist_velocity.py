"""Velocities and relative actions are those of motions whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere.errors import InvalidInput
from kinesphere.transforms.relative_actions import relative_actions
from kinesphere.transforms.wrist_velocity import wrist_velocity

SECOND = 1_000_000_000


def uneven(frames: int, seed: int = 0) -> NDArray[np.int64]:
    steps = np.random.default_rng(seed).integers(20_000_000, 60_000_000, frames)
    return np.asarray(np.cumsum(steps) - steps[0], np.int64)


def moving(times: NDArray[np.int64], speed: Any, turning: Any, seed: int = 1) -> NDArray[np.float32]:
    """Two wrists at constant speed, which turn about a fixed axis of the camera frame: (T, 2, 7)."""
    seconds = times[:, None] / SECOND
    poses = np.empty((len(times), 2, 7), np.float32)
    for side, start in enumerate(Rotation.random(2, random_state=seed)):
        poses[:, side, :3] = np.array([0.1, -0.2, 0.5]) + seconds * np.array(speed)
        turned = Rotation.from_rotvec(seconds * np.array(turning)) * start
        poses[:, side, 3:] = turned.as_quat(scalar_first=True)
    return poses


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.lists(st.floats(-6, 6), min_size=3, max_size=3))
def test_a_steady_motion_has_its_speed_in_every_frame_however_uneven(speed: list[float], turning: list[float]) -> None:
    times = uneven(20)
    found = wrist_velocity(times, moving(times, speed, turning))
    np.testing.assert_allclose(found[..., :3], np.broadcast_to(speed, (20, 2, 3)), atol=2e-4)
    np.testing.assert_allclose(found[..., 3:], np.broadcast_to(turning, (20, 2, 3)), atol=2e-3)


def test_an_accelerated_motion_is_exact_inside() -> None:
    times = uneven(12)
    poses = moving(times, (0, 0, 0), (0, 0, 0)).astype(np.float64)
    seconds = times / SECOND
    poses[:, :, 0] = (3 * seconds**2)[:, None]
    found = wrist_velocity(times, poses)
    np.testing.assert_allclose(found[1:-1, :, 0], np.repeat(6 * seconds[1:-1, None], 2, axis=1), rtol=1e-5)


def test_beside_a_gap_one_neighbour_is_enough_and_alone_there_is_no_velocity() -> None:
    times = uneven(7)
    poses = moving(times, (1, 0, 0), (0, 1, 0))
    poses[[2, 4], 0] = np.nan
    found = wrist_velocity(times, poses)
    assert np.isfinite(found[[0, 1, 5, 6], 0]).all() and np.isfinite(found[:, 1]).all()
    assert np.isnan(found[[2, 3, 4], 0]).all()
    assert np.isnan(wrist_velocity(times[:1], poses[:1])).all()


def test_batches_and_quaternions_of_either_sign_give_the_same() -> None:
    times = np.stack([uneven(9), uneven(9, 5)])
    poses = np.stack([moving(one, (0.3, 0.1, -0.2), (2, -1, 0.5)) for one in times])
    each = np.stack([wrist_velocity(*pair) for pair in zip(times, poses, strict=True)])
    poses[:, ::2, :, 3:] *= -1
    np.testing.assert_allclose(wrist_velocity(times, poses), each, atol=1e-3)


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
