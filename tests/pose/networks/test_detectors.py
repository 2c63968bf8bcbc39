"""The detector alone: everybody in a picture, wherever they stand and however the picture is turned."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pose.networks.detectors import PersonDetector, merged
from pose.networks.models import pose_model
from tests.pose.conftest import Cast


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(pose_model())


def two(woman: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """She stands at 300 and, mirrored, at 760, in a grey picture of 1000 x 700."""
    picture = np.full((700, 1000, 3), 120, np.uint8)
    picture[110:590, 185:415] = woman
    picture[110:590, 645:875] = woman[:, ::-1]
    return picture


def test_two_people_are_two_regions_around_their_hips(detector: PersonDetector, cast: Cast) -> None:
    left, right = sorted(detector.find(two(cast.woman), 0.5), key=lambda person: person.region.x)
    for person, hips in ((left, 335), (right, 725)):
        assert abs(person.region.x - hips) < 30 and abs(person.region.y - 380) < 50
        assert 400 < person.region.side < 700
        assert abs(person.region.angle) < 0.35
        assert person.score >= 0.5


def test_a_turned_picture_turns_the_region(detector: PersonDetector, cast: Cast) -> None:
    picture = np.full((600, 600, 3), 120, np.uint8)
    picture[60:540, 185:415] = cast.woman
    (upright,) = detector.find(picture, 0.5)
    (turned,) = detector.find(picture[::-1, ::-1], 0.5)
    assert abs(turned.region.x - (600 - upright.region.x)) < 30
    assert abs(abs(turned.region.angle) - math.pi) < 0.35


def test_nobody_is_nobody(detector: PersonDetector) -> None:
    assert detector.find(np.full((120, 90, 3), 120, np.uint8), 0.5) == ()


def test_boxes_of_one_person_are_averaged_by_score_and_others_left_alone() -> None:
    shapes = np.zeros((3, 6, 2))
    shapes[:, 1] = 0.2
    shapes[:, 0, 0] = 0.3, 0.31, 0.8
    shapes[:, 2, 0] = 1.0, 4.0, 9.0
    people = merged(shapes, np.array([0.9, 0.6, 0.5]))
    assert [score for _, score in people] == [0.9, 0.5]
    assert people[0][0][2, 0] == pytest.approx((0.9 * 1 + 0.6 * 4) / 1.5)
    assert people[1][0][2, 0] == 9
