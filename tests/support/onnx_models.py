"""Small ONNX networks with the inputs and outputs of real ones, whose answers follow from the picture by plain rules.

They stand for weights that nobody may pass on: ONNX Runtime really runs them, on pictures in which spots of a colour
play a person's parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
REACH = 4
"""Pixels by which a landmark may lie beside its spot, along x and y."""

Spot = tuple[int, tuple[int, int]]
"""The colour that a landmark follows (0 red, 1 green, 2 blue), and how far it lies from there, in network pixels."""


def whole_body_model(
    path: Path, spots: Sequence[Spot], size: tuple[int, int] = (96, 128), bins: int = 2, scale: float = 1.0
) -> Path:
    """A SimCC network: landmark `i` lies at the brightest spot of its colour, and beside it by its offset.

    Its score is the colour's brightness, less the others', from 0 to 1, times `scale`.

    Args:
        spots: of each landmark.
        size: width and height of the picture that the network takes.
        bins: for each of its pixels.
    """
    width = 2 * REACH + 1
    kernels = np.zeros((len(spots), 3, width, width), np.float32)
    biases = np.zeros(len(spots), np.float32)
    for landmark, (colour, (right, down)) in enumerate(spots):
        for channel in range(3):
            share = (1.0 if channel == colour else -1.0) / 255 * scale
            # undoes the normalisation: the picture from 0 to 255 is x * deviation + mean
            kernels[landmark, channel, REACH - down, REACH - right] = share * DEVIATION[channel]
            biases[landmark] += share * MEAN[channel]
    nodes = [helper.make_node("Conv", ["input", "kernels", "biases"], ["seen"], pads=[REACH] * 4)]
    for name in "xy":
        nodes += [
            helper.make_node("ReduceMax", ["seen", f"over_{name}"], [f"best_{name}"], keepdims=0),
            helper.make_node("Unsqueeze", [f"best_{name}", "last"], [f"column_{name}"]),
            helper.make_node("Concat", [f"column_{name}"] * bins, [f"columns_{name}"], axis=3),
            helper.make_node("Reshape", [f"columns_{name}", f"shape_{name}"], [f"simcc_{name}"]),
        ]
    constants: dict[str, NDArray[Any]] = {
        "kernels": kernels, "biases": biases, "last": np.array([3]), "over_x": np.array([2]), "over_y": np.array([3]),
        "shape_x": np.array([1, len(spots), bins * size[0]]), "shape_y": np.array([1, len(spots), bins * size[1]]),
    }  # fmt: skip
    outputs = {f"simcc_{name}": [1, len(spots), bins * side] for name, side in zip("xy", size, strict=True)}
    return save(path, nodes, [1, 3, size[1], size[0]], outputs, constants)


def person_model(path: Path, boxes: Sequence[Sequence[float]], size: int = 64) -> Path:
    """A detector of MMDeploy's form: the boxes that it gives (left, top, right, bottom, score), where the picture is
    bright; their scores are multiplied by the brightness of the picture's brightest pixel, 0 to 1."""
    rows = np.array([boxes], np.float32)
    weights = rows.copy()
    weights[..., :4] = 0
    nodes = [
        helper.make_node("ReduceMax", ["input", "all"], ["brightest"], keepdims=1),
        helper.make_node("Reshape", ["brightest", "scalar"], ["level"]),
        helper.make_node("Mul", ["level", "scores"], ["weighted"]),
        helper.make_node("Add", ["weighted", "places"], ["dets"]),
        helper.make_node("Identity", ["classes"], ["labels"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "all": np.array([0, 1, 2, 3]), "scalar": np.array([1, 1, 1]), "scores": (weights / 255).astype(np.float32),
        "places": (rows - weights).astype(np.float32), "classes": np.zeros((1, len(boxes)), np.int64),
    }  # fmt: skip
    outputs = {"dets": [1, len(boxes), 5], "labels": [1, len(boxes)]}
    return save(path, nodes, [1, 3, size, size], outputs, constants, {"labels": TensorProto.INT64})


def fixed_model(path: Path, outputs: Mapping[str, NDArray[Any]], shape: Sequence[int | str] = (1, 3, 32, 32)) -> Path:
    """A network that always gives the same."""
    constants = {f"given_{name}": values for name, values in outputs.items()}
    nodes = [helper.make_node("Identity", [f"given_{name}"], [name]) for name in outputs]
    return save(path, nodes, shape, {name: list(values.shape) for name, values in outputs.items()}, constants)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str],
    outputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, NDArray[Any]],
    types: Mapping[str, int] | None = None,
) -> Path:
    """Write a network of one input, "input", to a file."""
    graph = helper.make_graph(
        list(nodes),
        "made for tests",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape))],
        [
            helper.make_tensor_value_info(name, (types or {}).get(name, TensorProto.FLOAT), list(dimensions))
            for name, dimensions in outputs.items()
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
