"""Which hand is whose."""

import numpy as np
import pytest

from kinesphere.trajectory import BODY_LANDMARKS
from pose.networks.sightings import Body, Hand
from pose.tracking.sides import assign_sides, believable, reached_by, same_hand

SIZE = (1000, 1000)
LEFT, RIGHT = 0, 1
LEFT_WRIST, RIGHT_WRIST = (0.7, 0.6), (0.3, 0.6)  # a person who faces the camera


def person(*hidden: str) -> Body:
    places = {
        "left_shoulder": (0.6, 0.3),
        "right_shoulder": (0.4, 0.3),
        "left_hip": (0.57, 0.65),
        "right_hip": (0.43, 0.65),
        "left_wrist": LEFT_WRIST,
        "right_wrist": RIGHT_WRIST,
    }
    image = np.full((33, 3), 0.5, np.float32)
    visibility = np.ones(33, np.float32)
    for name, (x, y) in places.items():
        image[BODY_LANDMARKS.index(name)] = x, y, 0
    for name in hidden:
        visibility[BODY_LANDMARKS.index(name)] = 0.1
    return Body(image, image, visibility)


def hand(place: tuple[float, float], side: int, sure: float = 0.9, length: float = 0.1) -> Hand:
    image = np.zeros((21, 3), np.float32)
    image[:, :2] = place
    image[:, 1] -= np.linspace(0, length, 21, dtype=np.float32)
    return Hand(image, image, 0.9, sure if side == RIGHT else 1 - sure)


def near(wrist: tuple[float, float], x: float = 0.01, y: float = -0.02) -> tuple[float, float]:
    return wrist[0] + x, wrist[1] + y


@pytest.mark.parametrize("called", [LEFT, RIGHT])
def test_a_hand_at_a_wrist_is_that_wrists_whatever_the_model_calls_it(called: int) -> None:
    at_left, at_right = hand(near(LEFT_WRIST), called), hand(near(RIGHT_WRIST), called)
    assert assign_sides([at_right, at_left], person(), SIZE) == (at_left, at_right)


def test_a_wrist_takes_only_its_nearest_hand() -> None:
    nearest, next_to_it = hand(near(LEFT_WRIST), LEFT), hand(near(LEFT_WRIST, 0.05), RIGHT)
    assert assign_sides([next_to_it, nearest], person(), SIZE) == (nearest, None)


def test_a_bystanders_hand_is_nobodys() -> None:
    assert assign_sides([hand((0.95, 0.1), RIGHT)], person(), SIZE) == (None, None)


def test_a_hidden_wrist_gets_the_hand_that_the_model_says_is_of_its_side() -> None:
    on_the_table = hand((0.45, 0.75), RIGHT)
    assert assign_sides([on_the_table], person("right_wrist"), SIZE) == (None, on_the_table)
    assert assign_sides([on_the_table], person("left_wrist"), SIZE) == (None, None)


def test_a_hand_that_no_arm_could_reach_is_nobodys_even_if_the_wrist_is_hidden() -> None:
    small = person("right_wrist")
    small.image[:] = 0.2 + (small.image - 0.5) * 0.2
    assert assign_sides([hand((0.9, 0.9), RIGHT)], small, SIZE) == (None, None)


def test_without_a_body_the_model_decides() -> None:
    left, right = hand((0.2, 0.5), LEFT), hand((0.8, 0.5), RIGHT)
    assert assign_sides([right, left], None, SIZE) == (left, right)
    assert assign_sides([right], None, SIZE) == (None, right)


def test_without_a_body_an_unsure_second_hand_goes_to_the_free_side_and_a_sure_one_to_nobody() -> None:
    surest, sure, unsure = (hand((0.5, 0.5), RIGHT, sure) for sure in (0.98, 0.95, 0.6))
    assert assign_sides([surest, unsure], None, SIZE) == (unsure, surest)
    assert assign_sides([sure, surest], None, SIZE) == (None, surest)


def test_a_body_seen_in_a_hand_is_not_believed() -> None:
    assert believable(person(), [hand((0.5, 0.9), RIGHT, length=0.6)], SIZE) is None
    assert believable(person(), [hand((0.5, 0.9), RIGHT, length=0.2)], SIZE) is not None
    assert believable(None, [], SIZE) is None


def test_no_hands_are_no_hands() -> None:
    assert assign_sides([], person(), SIZE) == assign_sides([], None, SIZE) == (None, None)


def test_what_lies_on_each_other_is_one_hand() -> None:
    assert same_hand(hand((0.5, 0.5), LEFT), hand((0.51, 0.51), RIGHT), SIZE)
    assert not same_hand(hand((0.5, 0.5), LEFT), hand((0.56, 0.5), RIGHT), SIZE)


def test_an_arm_reaches_the_hand_at_its_wrist_and_no_other() -> None:
    at_left = hand(near(LEFT_WRIST), RIGHT)
    assert reached_by(at_left, person(), LEFT, SIZE)
    assert not reached_by(at_left, person(), RIGHT, SIZE)
