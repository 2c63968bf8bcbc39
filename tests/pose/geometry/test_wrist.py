"""Wrist pose and grip against a model hand whose place is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.wrist import continuous, grip, palm_axes, quaternions, wrist_pose

SIZE = (1280, 720)
CAMERA = assumed_intrinsics(*SIZE)
RIGHT = 1
AHEAD = np.array([0, 0, 0.6])
FINGER_X = {1: 0.05, 5: 0.03, 9: 0.005, 13: -0.015, 17: -0.035}


def open_right_hand() -> NDArray[np.float64]:
    """A right hand with its palm to the camera and its fingers up, slightly bent, in metres."""
    hand = np.zeros((21, 3))
    for first, x in FINGER_X.items():
        for joint in range(4):
            reach = (0.03 if first == 1 else 0.08) + 0.025 * joint
            hand[first + joint] = x * (1 + 0.2 * joint), -reach, -0.004 * joint**2
    return np.asarray(hand - hand.mean(axis=0), np.float64)


def rotation(vector: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(np.array(vector))[0], np.float64)


def seen(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points in the camera's frame as landmarks in image widths and heights."""
    x = points[..., 0] / points[..., 2] * CAMERA["fx"] + CAMERA["cx"]
    y = points[..., 1] / points[..., 2] * CAMERA["fy"] + CAMERA["cy"]
    return np.stack([x / SIZE[0], y / SIZE[1]], axis=-1)


angle = st.floats(-3, 3)


@settings(max_examples=60)
@given(st.tuples(angle, angle, angle), st.floats(-0.3, 0.3), st.floats(-0.15, 0.15), st.floats(0.35, 3))
def test_a_hand_in_any_attitude_and_place_is_found_where_it_is(
    turn: tuple[float, float, float], x: float, y: float, z: float
) -> None:
    world = open_right_hand() @ rotation(turn).T
    place = np.array([x * z, y * z, z])
    pose = wrist_pose(world[None], seen(world + place)[None], RIGHT, SIZE, CAMERA)[0]
    np.testing.assert_allclose(pose[:3], world[0] + place, atol=2e-4 * z)
    expected = quaternions(palm_axes(world[None], RIGHT))[0]
    assert abs(pose[3:] @ expected) > 1 - 1e-5


def test_a_right_palm_to_the_camera_has_x_along_the_fingers_and_z_towards_the_camera() -> None:
    axes = palm_axes(open_right_hand()[None], RIGHT)[0]
    np.testing.assert_allclose(axes[:, 0], [0, -1, 0], atol=0.2)
    np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=0.2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


def test_a_left_palm_to_the_camera_has_the_same_x_and_z() -> None:
    mirrored = open_right_hand() * [-1, 1, 1]
    axes = palm_axes(mirrored[None], 0)[0]
    np.testing.assert_allclose(axes[:, 0], [0, -1, 0], atol=0.2)
    np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=0.2)


def test_missing_hands_and_landmarks_that_do_not_fit_have_no_pose() -> None:
    world = np.repeat(open_right_hand()[None], 3, axis=0)
    image = seen(world + AHEAD)
    world[1] = np.nan
    image[2] = image[2, ::-1]
    poses = wrist_pose(world, image, RIGHT, SIZE, CAMERA)
    assert np.isfinite(poses[0]).all()
    assert np.isnan(poses[1:]).all()


def test_a_clip_without_hands_has_no_poses() -> None:
    missing = np.full((5, 21, 3), np.nan, np.float32)
    assert np.isnan(wrist_pose(missing, missing, RIGHT, SIZE, CAMERA)).all()
    assert np.isnan(grip(missing)).all()


def test_a_hand_that_turns_all_the_way_round_never_flips_its_quaternion() -> None:
    turns = np.stack([open_right_hand() @ rotation((0.3, 0.1, t)).T for t in np.linspace(0, 4 * np.pi, 120)])
    turns[40:45] = np.nan
    poses = wrist_pose(turns, seen(turns + AHEAD), RIGHT, SIZE, CAMERA)
    rotations = poses[np.isfinite(poses[:, 0]), 3:]
    assert len(rotations) == 115
    assert ((rotations[1:] * rotations[:-1]).sum(axis=1) > 0.9).all()
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=1), 1, atol=1e-6)


@given(st.lists(st.tuples(angle, angle, angle), min_size=1, max_size=20))
def test_quaternions_turn_back_into_their_rotations(turns: list[tuple[float, float, float]]) -> None:
    matrices = np.stack([rotation(turn) for turn in turns])
    w, x, y, z = continuous(quaternions(matrices)).T
    back = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    np.testing.assert_allclose(back, matrices, atol=1e-9)


def test_grip_is_the_gap_over_the_hands_length_and_stays_within_one() -> None:
    hand = open_right_hand()
    chain = np.linalg.norm(np.diff(hand[[0, 9, 10, 11, 12]], axis=0), axis=1).sum()
    assert grip(hand) == pytest.approx(np.linalg.norm(hand[4] - hand[8]) / chain, rel=1e-5)
    closed, torn = hand.copy(), hand.copy()
    closed[4] = closed[8]
    torn[4] = 10
    assert grip(np.stack([closed, torn])).tolist() == [0, 1]


def test_assumed_intrinsics_see_as_wide_as_usual_webcams_along_the_longer_side_and_say_so() -> None:
    for width, height in ((1280, 720), (720, 1280)):
        camera = assumed_intrinsics(width, height)
        assert 2 * np.degrees(np.arctan(640 / camera["fx"])) == pytest.approx(66)
        assert (camera["cx"], camera["cy"], camera["source"]) == (width / 2, height / 2, "assumed")
        assert camera["fx"] == camera["fy"]


def test_points_bent_by_the_lens_give_the_pose_of_the_straight_ones() -> None:
    import cv2

    bent_camera = CAMERA | {"distortion": [-0.2, 0.05, 0.001, -0.001, 0.0]}
    world = open_right_hand() + np.array([0.25, -0.1, 0.6])
    matrix = np.array([[CAMERA["fx"], 0, CAMERA["cx"]], [0, CAMERA["fy"], CAMERA["cy"]], [0, 0, 1]])
    pixels, _ = cv2.projectPoints(world, np.zeros(3), np.zeros(3), matrix, np.array(bent_camera["distortion"]))
    bent = np.asarray(pixels).reshape(1, 21, 2) / SIZE
    straight = wrist_pose(open_right_hand()[None], seen(world[None]), RIGHT, SIZE, CAMERA)
    np.testing.assert_allclose(wrist_pose(open_right_hand()[None], bent, RIGHT, SIZE, bent_camera), straight, atol=1e-3)
    assert np.abs(wrist_pose(open_right_hand()[None], bent, RIGHT, SIZE, CAMERA) - straight).max() > 0.01
