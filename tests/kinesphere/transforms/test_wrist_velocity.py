"""Velocities are those of motions whose answers are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.transforms.wrist_velocity import wrist_velocity
from tests.support.transform_inputs import SECOND, moving, uneven


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
