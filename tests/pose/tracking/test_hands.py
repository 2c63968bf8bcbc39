"""The hands of real pictures: found at the wrists, followed, kept on their side, and looked for nowhere else."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from pose.landmarks import BODY_WRISTS
from pose.networks.bundles import build_bundle
from pose.networks.detectors import PalmDetector
from pose.networks.landmark_networks import HandNetwork
from pose.networks.models import Model, hand_model, pose_model
from pose.networks.regions import Region, cut, region_around
from pose.networks.sightings import Body, Hand
from pose.tracking.followed_person import BodyFinder
from pose.tracking.hands import CLOSE_UP, NO_CLOSE_UP, HandFinder, carried
from pose.tracking.sides import Sides, reached_by
from storage.footage.video_reader import open_video

SIZE = (1768, 994)
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def seen(body_clip: Path) -> list[tuple[Picture, Body | None]]:
    """Some pictures of the real clip, each with its body."""
    with closing(BodyFinder(pose_model(), 0.5)) as finder:
        frames = itertools.islice(open_video(body_clip).frames(), 30)
        return [(frame.image, finder.find(frame.image, frame.index * 33)) for frame in frames]


@pytest.fixture(scope="module")
def found(seen: list[tuple[Picture, Body | None]]) -> list[tuple[Body | None, Sides]]:
    finder = HandFinder(hand_model(), 0.5, 0.6, 2)
    return [finder.find(image, body) for image, body in seen]


def is_far_from_the_other_wrist(hand: Hand, body: Body, side: int) -> bool:
    region = region_around(hand, SIZE)
    other = body.image[BODY_WRISTS[1 - side], :2] * SIZE
    return bool(np.hypot(*(other - (region.x, region.y))) > 2 * region.side)


@pytest.fixture(scope="module")
def close_up(seen: list[tuple[Picture, Body | None]], found: list[tuple[Body | None, Sides]]) -> Picture:
    """The hand whose side is clearest, large in the middle of a picture of its own, uint8 (480, 480, 3)."""
    hands = [
        (hand, image)
        for (image, _), (body, sides) in zip(seen, found, strict=True)
        for side, hand in enumerate(sides)
        if hand is not None and body is not None and is_far_from_the_other_wrist(hand, body, side)
    ]
    hand, image = max(hands, key=lambda pair: pair[0].score * abs(pair[0].right - 0.5))
    region = region_around(hand, SIZE)
    return cut(image, Region(region.x, region.y, 2 * region.side, region.angle), 480)


def by_tasks(picture: Picture) -> NDArray[np.float64]:
    """MediaPipe's own hand landmarker on one picture: (21, 2) pixels of its surest hand."""
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    options = vision.HandLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(hand_model().path)))
    with vision.HandLandmarker.create_from_options(options) as landmarker:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        landmarks = landmarker.detect(image).hand_landmarks[0]
    return np.array([(landmark.x, landmark.y) for landmark in landmarks]) * picture.shape[1::-1]


def test_each_hand_is_found_at_the_wrist_of_its_own_arm(found: list[tuple[Body | None, Sides]]) -> None:
    hands = [(body, side, hand) for body, sides in found for side, hand in enumerate(sides) if hand is not None]
    assert len(hands) >= 10
    for body, side, hand in hands:
        assert body is not None and reached_by(hand, body, side, SIZE)
        assert 0.6 <= hand.score <= 1


def test_a_hand_goes_where_the_wrist_takes_it_if_the_wrist_is_seen(
    found: list[tuple[Body | None, Sides]],
) -> None:
    body, hand = next((body, sides[0]) for body, sides in found if body is not None and sides[0] is not None)
    step = np.array([0.03, -0.02], np.float32)
    moved = replace(body, image=body.image + np.append(step, np.float32(0)))
    np.testing.assert_allclose(carried(hand, body, moved, 0).image[:, :2], hand.image[:, :2] + step, atol=1e-6)
    hidden = replace(moved, visibility=np.zeros_like(moved.visibility))
    assert carried(hand, body, hidden, 0) is hand
    assert carried(hand, None, moved, 0) is hand


def test_quick_hands_are_followed_without_a_search(seen: list[tuple[Picture, Body | None]]) -> None:
    finder = HandFinder(hand_model(), 0.5, 0.6, 2)
    looks = [0]
    look = finder._network.look

    def counted(image: Picture, region: Region) -> Hand:
        looks[0] += 1
        return look(image, region)

    finder._network.look = counted  # type: ignore[method-assign]
    hands = sum(hand is not None for image, body in seen for hand in finder.find(image, body)[1])
    assert looks[0] < 2.5 * hands, "it was 89 looks for 25 hands when they were looked for where they had been"


def test_a_large_hand_is_found_by_its_palm_where_mediapipe_finds_it(close_up: Picture) -> None:
    regions = PalmDetector(hand_model()).find(close_up, 0.5)
    assert len(regions) == 1
    ours = HandNetwork(hand_model()).look(close_up, regions[0])
    assert ours.score > 0.8
    distance = np.linalg.norm(ours.image[:, :2] * (480, 480) - by_tasks(close_up), axis=1)
    assert np.median(distance) < 0.05 * regions[0].side


def test_a_turned_picture_turns_the_hand(close_up: Picture) -> None:
    network, palms = HandNetwork(hand_model()), PalmDetector(hand_model())
    (region,) = palms.find(close_up, 0.5)
    upright = network.look(close_up, region)
    over = np.ascontiguousarray(close_up[::-1, ::-1])
    turned = network.look(over, palms.find(over, 0.5)[0])
    assert np.median(np.abs(1 - turned.image[:, :2] - upright.image[:, :2])) < 0.02
    assert np.median(np.abs(turned.world[:, :2] + upright.world[:, :2])) < 0.01, "metres turn with the hand"
    assert (turned.right >= 0.5) == (upright.right >= 0.5)


def test_there_is_no_hand_where_there_is_none(close_up: Picture, seen: list[tuple[Picture, Body | None]]) -> None:
    network = HandNetwork(hand_model())
    assert network.look(seen[0][0], Region(1500, 150, 100, 0.0)).score < 0.5
    assert network.look(np.zeros_like(close_up), Region(240, 240, 240, 0.0)).score < 0.5
    assert PalmDetector(hand_model()).find(np.zeros_like(close_up), 0.5) == ()


def followed(pictures: list[Picture]) -> list[Sides]:
    finder = HandFinder(hand_model(), 0.5, 0.5, 2)
    return [finder.find(picture, None)[1] for picture in pictures]


def test_without_a_body_a_hand_is_followed_through_the_picture(close_up: Picture) -> None:
    moving = [np.ascontiguousarray(np.roll(close_up, 6 * step, axis=1)) for step in range(12)]
    places = [[hand for hand in sides if hand is not None] for sides in followed(moving)]
    assert [len(hands) for hands in places] == [1] * 12
    moved = np.diff([hands[0].image[0, 0] * 480 for hands in places])
    assert np.median(moved) == pytest.approx(6, abs=1.5)


def test_a_hand_does_not_change_its_side_for_a_few_odd_frames(close_up: Picture) -> None:
    mirrored = np.ascontiguousarray(close_up[:, ::-1])
    sides = followed([close_up] * 12 + [mirrored] * 3 + [close_up] * 5)
    which = [[hand is not None for hand in pair] for pair in sides]
    assert which[0] in ([True, False], [False, True])
    assert all(one == which[0] for one in which)
    other = [hand is not None for hand in followed([mirrored] * 2)[1]]
    assert other == which[0][::-1], "the mirror image of a hand is the other one"
    changed = followed([close_up] * 2 + [mirrored] * 25)
    assert [hand is not None for hand in changed[-1]] == which[0][::-1], "but it does once that lasts"


def body_of_size(size: float) -> Body:
    """Its landmarks lie on a line of so many sides of the picture, from its middle to the right and down."""
    return Body(
        np.tile(np.array([[0.5, 0.5, 0]], np.float32), (33, 1)) + np.linspace(0, size, 33, dtype=np.float32)[:, None],
        np.zeros((33, 3), np.float32),
        np.ones(33, np.float32),
    )


TINY, WHOLE = body_of_size(0.02), body_of_size(2.0)


def test_a_body_that_is_a_hand_is_not_believed(close_up: Picture) -> None:
    finder = HandFinder(hand_model(), 0.5, 0.5, 2)
    for _ in range(3):
        body, sides = finder.find(close_up, TINY)
        assert body is None
        assert sum(hand is not None for hand in sides) == 1


def test_after_half_a_second_of_such_bodies_it_takes_more_than_one_of_another_kind(close_up: Picture) -> None:
    finder = HandFinder(hand_model(), 0.5, 0.5, 2)
    believed = [finder.find(close_up, body)[0] is not None for body in [TINY] * (CLOSE_UP - 1) + [WHOLE, TINY]]
    assert believed == [False] * (CLOSE_UP - 1) + [True, False] and not finder.is_close_up
    for body in [TINY] * (CLOSE_UP - 1):
        finder.find(close_up, body)
    assert finder.is_close_up
    rare = [body for _ in range(4) for body in (WHOLE, None, WHOLE, TINY)]
    for body in rare:
        believed_one, sides = finder.find(close_up, body)
        assert believed_one is None and finder.is_close_up
        assert sum(hand is not None for hand in sides) == 1, "the hand is followed all the same"
    believed = [finder.find(close_up, body)[0] is not None for body in [WHOLE, None] * NO_CLOSE_UP]
    assert believed == [False] * (2 * NO_CLOSE_UP - 2) + [True, False] and not finder.is_close_up


def test_a_network_of_another_kind_is_one_clear_line(tmp_path: Path) -> None:
    own = tmp_path / "own.task"
    own.write_bytes(build_bundle({"hand_landmarks_detector.tflite": b"?"}))
    with pytest.raises(InvalidInput, match=r"LiteRT cannot use the model .*own\.task") as raised:
        HandNetwork(Model(own, {}))
    assert "\n" not in str(raised.value)
