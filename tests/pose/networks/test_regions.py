"""Where hands are looked for, and that a region and the picture agree."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from pose.networks.regions import Region, cut, region_around, region_at_palm, region_at_wrist
from pose.networks.sightings import Body, Hand

SIZE = (800, 400)
angles = st.floats(-math.pi, math.pi)


def body_with_left_arm(elbow: tuple[float, float], wrist: tuple[float, float], knuckles: tuple[float, float]) -> Body:
    image = np.zeros((33, 3), np.float32)
    places = {"left_elbow": elbow, "left_wrist": wrist, "left_index": knuckles, "left_pinky": knuckles}
    for name, place in places.items():
        image[BODY_LANDMARKS.index(name), :2] = np.array(place) / SIZE
    return Body(image, image, np.ones(33, np.float32))


def flat_hand(wrist: tuple[float, float], angle: float, length: float) -> Hand:
    """A hand of pixels, seen flat: fingers along the direction that is `angle` clockwise from up."""
    ahead = np.zeros(21)
    for i, name in enumerate(HAND_LANDMARKS):
        ahead[i] = {"wrist": 0, "cmc": 0.2, "mcp": 0.5, "pip": 0.7, "ip": 0.6, "dip": 0.85, "tip": 1}[
            name.split("_")[-1]
        ]
    direction = np.array([math.sin(angle), -math.cos(angle)])
    image = np.zeros((21, 3), np.float32)
    image[:, :2] = (np.array(wrist) + length * ahead[:, None] * direction) / SIZE
    return Hand(image, image, 1.0, 0.0)


def test_the_region_at_a_wrist_follows_the_forearm_and_lies_ahead_of_the_wrist() -> None:
    region = region_at_wrist(body_with_left_arm((300, 200), (400, 200), (430, 200)), 0, SIZE)
    assert (region.x, region.y) == pytest.approx((424, 200), abs=0.1)
    assert region.side == pytest.approx(130, abs=0.1)
    assert region.angle == pytest.approx(math.pi / 2, abs=1e-3)  # fingers to the right: a quarter clockwise


def test_an_arm_that_points_at_the_camera_is_measured_by_its_palm() -> None:
    region = region_at_wrist(body_with_left_arm((395, 200), (400, 200), (400, 240)), 0, SIZE)
    assert region.side == pytest.approx(160, abs=0.1)


@given(angles)
def test_a_known_hand_points_up_and_lies_inside_its_region(angle: float) -> None:
    hand = flat_hand((400, 200), angle, 100)
    region = region_around(hand, SIZE)
    assert math.cos(region.angle - angle) > 0.999
    middle = (hand.image[:, :2] * SIZE).mean(axis=0)
    assert np.hypot(region.x - middle[0], region.y - middle[1]) < 0.25 * region.side
    assert region.side == pytest.approx(140, rel=1e-3)


@given(angles)
def test_the_region_at_a_palm_reaches_from_the_wrist_over_the_fingers(angle: float) -> None:
    up = np.array([math.sin(angle), -math.cos(angle)])
    palm = np.array([400.0, 200.0])
    region = region_at_palm(np.array([palm, (50, 50)]), palm - 20 * up, palm + 20 * up)
    assert math.cos(region.angle - angle) > 0.999
    assert (region.x, region.y) == pytest.approx(tuple(palm + 25 * up), abs=1e-6)
    assert region.side == pytest.approx(130)


@given(angles, st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_what_is_cut_out_is_where_the_region_says(angle: float, x: float, y: float) -> None:
    region = Region(400, 200, 120, angle)
    place = region.to_picture(np.array([[x, y]]))[0]
    image = np.zeros((400, 800, 3), np.uint8)
    rows, columns = np.ogrid[:400, :800]
    image[(rows - place[1]) ** 2 + (columns - place[0]) ** 2 < 16] = 255
    brightness = cut(image, region, 100)[:, :, 0].astype(np.float64)
    seen = [(brightness.sum(axis=axis) * np.arange(100)).sum() / brightness.sum() for axis in (0, 1)]
    assert seen == pytest.approx([100 * x, 100 * y], abs=1.5)


def test_what_lies_outside_the_picture_is_black() -> None:
    crop = cut(np.full((400, 800, 3), 200, np.uint8), Region(0, 200, 100, 0.0), 50)
    assert (crop[:, :23] == 0).all() and (crop[:, 27:] == 200).all()


@pytest.mark.parametrize("wrong", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8)])
def test_a_picture_of_another_kind_is_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="a picture is uint8"):
        cut(wrong, Region(4, 4, 4, 0.0), 8)
