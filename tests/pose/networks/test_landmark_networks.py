"""The landmark network alone: the same person wherever the region lies, and MediaPipe's definitions."""

from pathlib import Path

import mediapipe
import numpy as np
import pytest
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from pose.networks.bundles import build_bundle
from pose.networks.detectors import PersonDetector
from pose.networks.landmark_networks import _BODY_SHAPES, BODY_MEMBER, BodyNetwork, refined
from pose.networks.models import Model, hand_model, pose_model
from pose.networks.network import Network
from pose.networks.regions import Region
from tests.pose.conftest import Cast

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def network() -> BodyNetwork:
    return BodyNetwork(pose_model())


@pytest.fixture(scope="module")
def picture(cast: Cast) -> Picture:
    """1768 pixels wide; the detector sees one person in it, the passer-by on the grass."""
    return cast.street


@pytest.fixture(scope="module")
def region(picture: Picture) -> Region:
    return PersonDetector(pose_model()).find(picture, 0.5)[0].region


def test_it_agrees_with_mediapipes_own_graph(network: BodyNetwork, picture: Picture, region: Region) -> None:
    options = vision.PoseLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(pose_model().path)))
    with vision.PoseLandmarker.create_from_options(options) as landmarker:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        theirs = landmarker.detect(image)
    ours = network.look(picture, region).body
    height, width = picture.shape[:2]
    points = np.array([(landmark.x, landmark.y, landmark.z) for landmark in theirs.pose_landmarks[0]])
    distance = np.abs(points - ours.image) * (width, height, width)
    assert np.median(np.linalg.norm(distance[:, :2], axis=1)) < 4
    assert np.median(distance[:, 2]) < 0.1 * np.ptp(points[:, 2]) * width
    world = np.array([(landmark.x, landmark.y, landmark.z) for landmark in theirs.pose_world_landmarks[0]])
    assert np.median(np.linalg.norm(world - ours.world, axis=1)) < 0.03
    visibility = np.array([landmark.visibility for landmark in theirs.pose_landmarks[0]])
    assert np.median(np.abs(visibility - ours.visibility)) < 0.02


def test_the_region_of_the_landmarks_is_where_they_came_from(
    network: BodyNetwork, picture: Picture, region: Region
) -> None:
    sighting = network.look(picture, region)
    assert sighting.presence > 0.9
    assert sighting.region is not None
    assert region.distance(sighting.region) < 0.2
    again = network.look(picture, sighting.region).region
    assert again is not None and sighting.region.distance(again) < 0.03


def test_a_picture_that_is_turned_gives_the_same_body_turned(
    network: BodyNetwork, picture: Picture, region: Region
) -> None:
    height, width = picture.shape[:2]
    # A quarter turn clockwise takes (x, y) to (height - y, x).
    lying = Region(height - region.y, region.x, region.side, region.angle + np.pi / 2)
    upright, turned = network.look(picture, region).body, network.look(np.rot90(picture, -1), lying).body
    expected = np.stack([1 - upright.image[:, 1], upright.image[:, 0]], axis=1)
    distance = np.linalg.norm((turned.image[:, :2] - expected) * (height, width), axis=1)
    assert np.median(distance) < 3
    expected_world = np.stack([-upright.world[:, 1], upright.world[:, 0], upright.world[:, 2]], axis=1)
    assert np.median(np.linalg.norm(turned.world - expected_world, axis=1)) < 0.02


def test_nobody_is_present_in_a_region_without_anybody(network: BodyNetwork, picture: Picture) -> None:
    assert network.look(picture, Region(300, 850, 250, 0)).presence < 0.1
    assert network.look(picture, Region(-900, -900, 300, 0)).presence < 0.1


def test_heat_moves_a_point_to_its_middle_and_only_where_it_is_hot() -> None:
    heat = np.full((64, 64, 3), -20, np.float32)
    heat[20, 31:33, 0] = 10  # row 20, columns 31 and 32
    heat[60, 60, 1] = -1  # never reaches a half
    points = np.array([[30 / 64, 21 / 64], [60 / 64, 60 / 64], [-0.2, 1.4]])
    moved = refined(points, heat)
    np.testing.assert_allclose(moved[0], [31.5 / 64, 20 / 64], atol=1e-6)
    np.testing.assert_array_equal(moved[1:], points[1:])


def test_a_bundle_with_another_network_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"LiteRT cannot use the model .*: .*no item named") as raised:
        BodyNetwork(hand_model())
    assert "\n" not in str(raised.value)
    own = tmp_path / "own.task"
    own.write_bytes(build_bundle({"pose_landmarks_detector.tflite": b"?"}))
    with pytest.raises(InvalidInput, match="LiteRT cannot use the model"):
        BodyNetwork(Model(own, {}))


def test_the_landmarks_are_the_same_without_the_outline_that_nobody_reads(
    network: BodyNetwork, picture: Picture, region: Region
) -> None:
    whole = Network(pose_model(), BODY_MEMBER, _BODY_SHAPES)
    crop = network.look(picture, region).crop
    points, presence, _, heat, world = (output.copy() for output in whole.run(crop))
    for full, ours in zip((points, presence, heat, world), network._network.run(crop), strict=True):
        np.testing.assert_array_equal(full, ours)


def test_an_output_that_is_not_there_cannot_be_left_out() -> None:
    with pytest.raises(InvalidInput, match=r"the network has 5 outputs, no numbers \[7\]"):
        Network(pose_model(), BODY_MEMBER, _BODY_SHAPES, unread={7})
