"""Squares around wrists: where they are, and that what is found in them is put back in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.crops import CROP_PIXELS, Square, cut_out, placed, wrist_square
from pose.landmarkers import Body, Hand
from storage.trajectory import BODY_LANDMARKS

SIZE = (1000, 500)


def arm(visibility: float = 1.0, wrist: tuple[float, float] = (0.5, 0.5), forearm: float = 0.1) -> Body:
    """A left arm that hangs down, 0.1 picture heights long, with a hand of a fifth of it."""
    image = np.zeros((33, 3), np.float32)
    seen = np.zeros(33, np.float32)
    for name, below in (("elbow", -forearm), ("wrist", 0.0), ("index", forearm / 5), ("pinky", forearm / 5)):
        image[BODY_LANDMARKS.index(f"left_{name}")] = wrist[0], wrist[1] + below, 0
        seen[BODY_LANDMARKS.index(f"left_{name}")] = visibility
    return Body(image, image, seen)


def test_the_square_lies_on_the_hand_and_is_wider_than_the_forearm() -> None:
    square = wrist_square(arm(), 0, SIZE)
    assert square is not None
    assert square.centre == pytest.approx((500, 250 + 0.8 * 10))
    assert square.side == pytest.approx(1.3 * 50)


def test_a_forearm_that_points_at_the_camera_leaves_the_palm_to_measure_by() -> None:
    body = arm()
    body.image[BODY_LANDMARKS.index("left_elbow")] = body.image[BODY_LANDMARKS.index("left_wrist")]
    square = wrist_square(body, 0, SIZE)
    assert square is not None and square.side == pytest.approx(4 * 10)


@pytest.mark.parametrize(
    "body", [arm(visibility=0.4), arm(wrist=(1.2, 0.5)), arm(wrist=(-0.1, 0.5)), arm(forearm=0.01)]
)
def test_a_wrist_that_is_hidden_outside_or_tiny_has_no_square(body: Body) -> None:
    assert wrist_square(body, 0, SIZE) is None


@given(
    centre=st.tuples(st.floats(0, 999), st.floats(0, 499)),
    side=st.floats(24, 800),
    landmarks=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=21, max_size=21),
)
def test_landmarks_are_put_back_where_they_were_seen(
    centre: tuple[float, float], side: float, landmarks: list[tuple[float, float]]
) -> None:
    in_crop = np.array([(x, y, 0.5) for x, y in landmarks], np.float32)
    hand = placed(Hand(in_crop, in_crop, 0, 0.9), Square(centre, side), SIZE)
    corner = np.array(centre) - side / 2
    np.testing.assert_allclose(hand.image[:, :2] * SIZE, corner + in_crop[:, :2] * side, atol=0.01)
    np.testing.assert_allclose(hand.image[:, 2] * SIZE[0], 0.5 * side, rtol=1e-5)


def test_a_cut_out_shows_the_part_of_the_picture_that_it_names() -> None:
    image = np.zeros((500, 1000, 3), np.uint8)
    image[240:260, 490:510] = (255, 0, 0)
    crop = cut_out(image, Square((500, 250), 40))
    assert crop.shape == (CROP_PIXELS, CROP_PIXELS, 3)
    red = np.argwhere(crop[..., 0] > 127)
    np.testing.assert_allclose(red.min(axis=0), 64, atol=4)
    np.testing.assert_allclose(red.max(axis=0), 192, atol=4)


def test_beyond_the_edge_it_is_black() -> None:
    crop = cut_out(np.full((500, 1000, 3), 200, np.uint8), Square((0, 0), 100))
    assert (crop[:120, :120] == 0).all() and (crop[136:, 136:] == 200).all()
