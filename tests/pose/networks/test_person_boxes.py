"""Boxes around people, from YOLOX networks of both forms."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from pose.networks.person_boxes import GREY, STRIDES, PersonNetwork
from tests.support.onnx_models import fixed_model, person_model

WHITE = np.full((90, 120, 3), 255, np.uint8)
"""Twice the width of the networks' 64x64 less a little: 64 pixels stand for 120."""
SCALE = 64 / 120


def plain_answer(found: list[tuple[tuple[float, ...], int, float, float]], size: int = 64) -> NDArray[np.float32]:
    """What a YOLOX with two classes gives for boxes (left, top, right, bottom), a stride, and two scores."""
    starts = np.cumsum([0, *((size // stride) ** 2 for stride in STRIDES)])
    rows = np.zeros((1, starts[-1], 7), np.float32)
    for (left, top, right, bottom), stride, objectness, score in found:
        x, y = (left + right) / 2 / stride, (top + bottom) / 2 / stride
        cell = starts[STRIDES.index(stride)] + int(y) * (size // stride) + int(x)
        extent = np.log([(right - left) / stride, (bottom - top) / stride])
        rows[0, cell] = (x - int(x), y - int(y), *extent, objectness, score, 1 - score)
    return rows


def test_sorted_boxes_are_carried_into_the_picture_the_largest_first(tmp_path: Path) -> None:
    boxes = [(2, 3, 20, 30, 0.9), (8, 4, 40, 44, 0.8), (0, 0, 63, 63, 0.3)]
    network = PersonNetwork(person_model(tmp_path / "a.onnx", boxes))
    found = network.find(WHITE, 0.5)
    np.testing.assert_allclose(found, np.array([boxes[1][:4], boxes[0][:4]]) / SCALE, atol=1e-3)
    assert len(network.find(WHITE, 0.2)) == 3 and network.find(WHITE, 0.2)[0][3] == 90, "cut off at the picture's edge"
    assert len(network.find(WHITE, 0.95)) == 0
    dark = np.full_like(WHITE, 100)
    assert len(network.find(dark, 0.5)) == 0, f"the grey around it, {GREY}, is the brightest"


def test_other_things_than_people_are_left_out(tmp_path: Path) -> None:
    boxes = np.array([[[0, 0, 10, 10, 0.9], [20, 20, 40, 40, 0.9]]], np.float32)
    labels = np.array([[7, 0]], np.int64).astype(np.float32)
    network = PersonNetwork(fixed_model(tmp_path / "a.onnx", {"dets": boxes, "labels": labels}, (1, 3, 64, 64)))
    np.testing.assert_allclose(network.find(WHITE, 0.5), boxes[0, 1:, :4] / SCALE, atol=1e-3)


def test_plain_boxes_are_read_off_the_grids_and_doubles_left_out(tmp_path: Path) -> None:
    box, other, thing = (10.0, 8, 30, 40), (36.0, 30, 60, 44), (4.0, 44, 20, 60)
    double = (11.0, 9, 31, 41)
    rows = plain_answer([(box, 8, 0.9, 1.0), (double, 16, 0.9, 0.9), (other, 32, 0.8, 0.9), (thing, 16, 0.9, 0.1)])
    network = PersonNetwork(fixed_model(tmp_path / "a.onnx", {"output": rows}, (1, 3, 64, 64)))
    np.testing.assert_allclose(network.find(WHITE, 0.5), np.array([box, other]) / SCALE, atol=0.01)
    assert len(network.find(WHITE, 0.75)) == 1


def test_nobody_is_no_box(tmp_path: Path) -> None:
    rows = plain_answer([])
    network = PersonNetwork(fixed_model(tmp_path / "a.onnx", {"output": rows}, (1, 3, 64, 64)))
    assert network.find(WHITE, 0.5).shape == (0, 4)


def test_another_network_is_refused(tmp_path: Path) -> None:
    for number, shape in enumerate(((1, 10, 4), (1, 83, 85), (1, 84), (84, 85))):
        path = fixed_model(tmp_path / f"{number}.onnx", {"o": np.zeros(shape, np.float32)}, (1, 3, 64, 64))
        with pytest.raises(InvalidInput, match="should find people as YOLOX does"):
            PersonNetwork(path)
