"""Who is followed: scenes put together from two people of the real clip, so that every place is known."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pose.networks.models import pose_model
from pose.networks.sightings import Body
from pose.tracking.followed_person import NOBODY, BodyFinder, unsure
from tests.pose.conftest import Cast

Picture = NDArray[np.uint8]
WIDTH, HEIGHT = 960, 480
STEP_MS = 100


def doubted(bodies: list[Body | None]) -> NDArray[np.bool_]:
    person = np.array([NOBODY if body is None else body.person for body in bodies], np.int32)
    return unsure(person, np.array([body is not None and body.sure for body in bodies]))


@dataclass(frozen=True)
class Place:
    """Somebody in a scene: who, the middle in pixels, how tall."""

    who: Picture
    x: float
    y: float = 240
    tall: int = 360


def draw(places: Sequence[Place]) -> Picture:
    """A grey picture with people in it; later ones stand in front."""
    picture = np.full((HEIGHT, WIDTH, 3), (120, 130, 120), np.uint8)
    for place in places:
        scale = place.tall / len(place.who)
        person = cv2.resize(place.who, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tall, wide = person.shape[:2]
        left, top = round(place.x - wide / 2), round(place.y - tall / 2)
        x, y = max(left, 0), max(top, 0)
        right, bottom = min(left + wide, WIDTH), min(top + tall, HEIGHT)
        if right > x and bottom > y:
            picture[y:bottom, x:right] = person[y - top : bottom - top, x - left : right - left]
    return picture


def find(scenes: Sequence[Sequence[Place]], *, step_ms: int = STEP_MS, close_up: range = range(0)) -> list[Body | None]:
    with closing(BodyFinder(pose_model(), 0.5)) as finder:
        return [
            finder.find(draw(scene), step_ms * index, close_up=index in close_up) for index, scene in enumerate(scenes)
        ]


def hips(body: Body | None) -> float:
    """Where the body is, pixels to the right; NaN if there is none."""
    return float("nan") if body is None else float(body.image[23:25, 0].mean() * WIDTH)


def follows(bodies: Sequence[Body | None], places: Sequence[float], *, within: float = 45) -> NDArray[np.bool_]:
    """Which bodies stand at these places."""
    return np.array([abs(hips(body) - place) < within for body, place in zip(bodies, places, strict=True)])


def missing(bodies: Sequence[Body | None]) -> NDArray[np.bool_]:
    return np.array([body is None for body in bodies])


def walk(start: float, end: float, frames: int) -> list[float]:
    return [float(x) for x in np.linspace(start, end, frames)]


def test_one_person_is_found_in_every_frame_and_sure(cast: Cast) -> None:
    places = walk(300, 600, 12)
    bodies = find([[Place(cast.woman, x)] for x in places])
    assert follows(bodies, places).all()
    assert all(body is not None and body.sure and body.person == 0 for body in bodies)


@pytest.mark.parametrize("in_front", [True, False])
def test_the_person_is_held_when_somebody_crosses(cast: Cast, in_front: bool) -> None:
    places, others = [480.0] * 32, walk(940, 20, 32)
    scenes = [[Place(cast.man, other), Place(cast.woman, x)] for x, other in zip(places, others, strict=True)]
    bodies = find([scene if in_front else scene[::-1] for scene in scenes])
    assert (follows(bodies, places) | missing(bodies)).all()
    assert follows(bodies, places).sum() >= (30 if in_front else 22)
    assert follows(bodies, places)[-8:].all()


def test_two_who_look_alike_and_cross_keep_their_ways_and_are_unsure_while_they_cross(cast: Cast) -> None:
    places, others = walk(200, 760, 28), walk(800, 150, 28)
    bodies = find(
        [
            [Place(cast.woman[:, ::-1], x, tall=380), Place(cast.woman, other, tall=330)]
            for x, other in zip(places, others, strict=True)
        ]
    )
    assert (follows(bodies, places, within=65) | missing(bodies)).all()
    assert follows(bodies, places)[-8:].all()
    crossing = np.abs(np.array(places) - others) < 100
    assert crossing.sum() >= 4
    assert not any(body.sure for body, near in zip(bodies, crossing, strict=True) if body is not None and near)


def test_the_larger_and_more_central_of_two_is_chosen_whatever_their_order(cast: Cast) -> None:
    for mirrored in (False, True):
        x = WIDTH - 420 if mirrored else 420
        pair = [
            Place(cast.woman, x, tall=440),
            Place(cast.woman[:, ::-1], WIDTH - x + (-140 if mirrored else 140), tall=290),
        ]
        bodies = find([pair] * 6)
        assert follows(bodies, [x] * 6, within=60)[-3:].all()


def test_a_larger_bystander_who_comes_later_does_not_take_over(cast: Cast) -> None:
    places, others = [300.0] * 34, [1200.0] * 24 + walk(900, 760, 10)
    bodies = find(
        [
            [Place(cast.woman, x, tall=330), Place(cast.man, other, tall=470)]
            for x, other in zip(places, others, strict=True)
        ]
    )
    assert follows(bodies, places).all()


def test_who_leaves_is_waited_for_and_not_replaced_by_who_stands_about(cast: Cast) -> None:
    places = [480.0] * 6 + walk(480, 1150, 10) + [1500.0] * 14 + walk(1150, 480, 10)
    bodies = find([[Place(cast.man, 180, tall=380), Place(cast.woman, x, tall=440)] for x in places])
    assert (follows(bodies, places, within=70) | missing(bodies)).all()
    assert missing(bodies)[17:28].all()
    assert follows(bodies, places, within=70)[-4:].all()


def test_somebody_else_is_taken_up_after_a_long_absence_as_another_person_and_unsure(cast: Cast) -> None:
    scenes = [[Place(cast.man, 480, tall=420)]] * 22 + [[]] * 8 + [[Place(cast.woman, 480, tall=330)]] * 25
    bodies = find(scenes)
    taken_up = next(index for index, body in enumerate(bodies) if body is not None and body.person == 1)
    assert 3000 <= (taken_up - 21) * STEP_MS <= 4000
    assert missing(bodies)[22:taken_up].all()
    assert follows(bodies, [480] * len(scenes))[taken_up:].all()
    first = bodies[taken_up]
    assert first is not None and not first.sure
    assert doubted(bodies)[taken_up:].all() and not doubted(bodies)[:taken_up].any()


def test_a_bar_that_hides_the_person_for_a_moment_ends_nothing(cast: Cast) -> None:
    bar = np.full((480, 160, 3), 90, np.uint8)
    places = walk(250, 700, 24)
    bodies = find([[Place(cast.woman[:, ::-1], x), Place(bar, 480, tall=480)] for x in places])
    assert (follows(bodies, places, within=70) | missing(bodies)).all()
    assert follows(bodies, places)[-5:].all()
    assert {body.person for body in bodies if body is not None} == {0}


def test_a_video_held_upside_down_is_understood(cast: Cast) -> None:
    with closing(BodyFinder(pose_model(), 0.5)) as finder:
        bodies = [finder.find(draw([Place(cast.woman, 480)])[::-1, ::-1], STEP_MS * index) for index in range(4)]
    last = bodies[-1]
    assert last is not None
    assert abs(hips(last) - (WIDTH - 500)) < 45
    assert last.image[0, 1] > last.image[23, 1] > last.image[27, 1], "the head should be below"


def test_in_a_close_up_of_hands_every_third_frame_is_looked_at(cast: Cast) -> None:
    places = walk(300, 400, 12)
    bodies = find([[Place(cast.woman, x)] for x in places], step_ms=33, close_up=range(9))
    assert follows(bodies, places).tolist() == [index % 3 == 0 or index >= 9 for index in range(12)]
    assert {body.person for body in bodies if body is not None} == {0}


@pytest.mark.parametrize("close_up", [True, False])
def test_a_hand_that_was_taken_for_somebody_is_not_waited_for(cast: Cast, close_up: bool) -> None:
    """The woman stands for a hand close up; she is gone when the man steps into view elsewhere."""
    scenes = [[Place(cast.woman, 250)]] * 10 + [[Place(cast.man, 650)]] * 10
    bodies = find(scenes, close_up=range(5, 20) if close_up else range(0))
    assert follows(bodies[:10], [250] * 10).all()
    if close_up:
        assert follows(bodies[10:], [650] * 10).all()
        assert [body.person for body in bodies if body is not None] == [0] * 10 + [1] * 10
    else:
        assert missing(bodies[10:]).all(), "whoever leaves is waited for"


def test_somebody_who_held_a_hand_before_the_lens_is_the_same_person_afterwards(cast: Cast) -> None:
    scenes = [[Place(cast.woman, 250)]] * 10 + [[]] * 4 + [[Place(cast.woman, 650)]] * 6
    bodies = find(scenes, close_up=range(5, 20))
    assert follows(bodies[14:], [650] * 6).all()
    assert {body.person for body in bodies if body is not None} == {0}


@pytest.mark.parametrize("size", [(96, 96), (480, 64), (20, 20)])
def test_nobody_is_found_where_nobody_is(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    with closing(BodyFinder(pose_model(), 0.5)) as finder:
        assert [finder.find(picture, 33 * index) for index in range(4)] == [None] * 4


def test_the_same_frames_give_the_same_bodies(cast: Cast) -> None:
    scenes = [[Place(cast.woman, x), Place(cast.man, 900 - x)] for x in walk(250, 600, 8)]
    for one, other in zip(find(scenes), find(scenes), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.image.tobytes() == other.image.tobytes() and one.world.tobytes() == other.world.tobytes()


def test_the_person_of_most_frames_is_the_contributor() -> None:
    points = np.zeros((33, 3), np.float32)
    passer_by, contributor = (Body(points, points, points[:, 0], person=person) for person in (0, 1))
    doubtful = Body(points, points, points[:, 0], sure=False, person=1)
    assert doubted([passer_by, None, contributor, contributor, doubtful]).tolist() == [True, False, False, False, True]
    assert doubted([None, None]).tolist() == [False, False]
