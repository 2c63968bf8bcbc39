"""Whole-body networks: where a landmark is in the picture, whatever part of it the network sees, and how sure it is."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from pose.networks.simcc import PADDING, WholeBodyNetwork
from tests.support.coloured_spots import spotted
from tests.support.onnx_models import fixed_model, whole_body_model

SIZE = (320, 240)
SPOTS = ((80.0, 60.0), (190.0, 120.0), (140.0, 190.0))
"""Red, green, blue."""
BOXES = [(0, 0, 320, 240), (40, 20, 240, 230), (60, 40, 210, 205), (-100, -50, 500, 400), (70, 0, 200, 240)]


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return spotted(SIZE, SPOTS)


def scale_of(box: tuple[int, int, int, int], size: tuple[int, int]) -> float:
    """Pixels of the image for one of the network's."""
    return max((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]) * PADDING


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(("size", "bins"), [((96, 128), 2), ((72, 96), 3), ((128, 128), 1)])
def test_landmarks_are_found_to_a_bin_in_any_box(
    box: tuple[int, int, int, int], size: tuple[int, int], bins: int, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = whole_body_model(tmp_path / "a.onnx", [(0, (0, 0)), (1, (0, 0)), (2, (0, 0))], size, bins)
    places, scores = WholeBodyNetwork(path, 3).find(picture, np.array(box, np.float64))
    np.testing.assert_allclose(places, SPOTS, atol=0.6 * scale_of(box, size) + 0.5)
    assert (scores > 0.6).all() and (scores <= 1).all()


def test_a_landmark_beside_its_spot_is_there_in_the_picture_too(picture: NDArray[np.uint8], tmp_path: Path) -> None:
    beside = ((4, 0), (0, 4), (-3, 2))
    network = WholeBodyNetwork(whole_body_model(tmp_path / "a.onnx", [(0, at) for at in beside]), 3)
    box = (0, 0, 320, 240)
    places, _ = network.find(picture, np.array(box, np.float64))
    expected = np.array(SPOTS[0]) + np.array(beside) * scale_of(box, network.size)
    np.testing.assert_allclose(places, expected, atol=0.6 * scale_of(box, network.size) + 0.5)


def test_what_is_not_in_the_box_is_not_seen(picture: NDArray[np.uint8], tmp_path: Path) -> None:
    network = WholeBodyNetwork(whole_body_model(tmp_path / "a.onnx", [(0, (0, 0)), (2, (0, 0))]), 2)
    _, scores = network.find(picture, np.array([40.0, 20, 120, 100]))
    assert scores[0] > 0.8 and scores[1] < 0.1


def test_a_grey_picture_is_as_bright_for_the_network_as_it_is(tmp_path: Path) -> None:
    """The network undoes the normalisation: only the one it learnt with gives 51 of 255 back."""
    network = WholeBodyNetwork(whole_body_model(tmp_path / "a.onnx", [(0, (0, 0)), (1, (0, 0)), (2, (0, 0))]), 3)
    for colour in range(3):
        image = np.zeros((240, 320, 3), np.uint8)
        image[..., colour] = 51
        _, scores = network.find(image, np.array([100.0, 80, 200, 160]))
        expected = np.where(np.arange(3) == colour, 0.2, 0)  # at the edge of what it sees the kernel meets padding
        np.testing.assert_allclose(scores[colour], expected[colour], atol=1e-4)


def test_an_empty_box_and_one_far_outside_are_no_error(picture: NDArray[np.uint8], tmp_path: Path) -> None:
    network = WholeBodyNetwork(whole_body_model(tmp_path / "a.onnx", [(0, (0, 0))]), 1)
    for box in ((80, 60, 80, 60), (5000, 5000, 5100, 5200)):
        places, scores = network.find(picture, np.array(box, np.float64))
        assert np.isfinite(places).all() and np.isfinite(scores).all()


def test_networks_of_another_kind_are_refused_with_what_they_give(tmp_path: Path) -> None:
    def refusal(name: str, *shapes: tuple[int, ...]) -> str:
        outputs = {f"o{i}": np.zeros(shape, np.float32) for i, shape in enumerate(shapes)}
        path = fixed_model(tmp_path / f"{name}.onnx", outputs)  # takes 32x32
        with pytest.raises(InvalidInput) as raised:
            WholeBodyNetwork(path, 133)
        assert "should find 133 landmarks along x and along y" in str(raised.value) and "\n" not in str(raised.value)
        return str(raised.value)

    assert "(1, 17, 64) and (1, 17, 64)" in refusal("body", (1, 17, 64), (1, 17, 64))
    assert "(1, 133, 16, 16)" in refusal("heat maps", (1, 133, 16, 16))
    refusal("in space", (1, 133, 64), (1, 133, 64), (1, 133, 64))
    refusal("uneven", (1, 133, 64), (1, 133, 96))
    refusal("too coarse", (1, 133, 16), (1, 133, 16))
    refusal("flat", (133, 64), (133, 64))
    good = fixed_model(tmp_path / "good.onnx", {name: np.zeros((1, 133, 64), np.float32) for name in "xy"})
    assert WholeBodyNetwork(good, 133).size == (32, 32)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    answers = {name: np.full((1, 2, 64), np.nan, np.float32) for name in "xy"}
    network = WholeBodyNetwork(fixed_model(tmp_path / "a.onnx", answers), 2)
    with pytest.raises(InvalidInput, match="gives numbers that are not finite"):
        network.find(np.zeros((48, 64, 3), np.uint8), np.array([0.0, 0, 64, 48]))
