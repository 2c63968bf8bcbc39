"""MediaPipe's detection networks by themselves, run by LiteRT on a whole picture: people, and hands near by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose.networks.models import Model
from pose.networks.network import Network
from pose.networks.regions import Region, cut, region_at_palm, region_of

PERSON_MEMBER = "pose_detector.tflite"
_PERSON_PIXELS = 224
_PERSON_GRIDS = ((28, 2), (14, 2), (7, 6))
"""Cells across and anchors a cell: five layers of strides 8, 16, 32, 32, 32 with two anchors each, as MediaPipe's."""
_PERSON_ANCHORS = sum(cells * cells * anchors for cells, anchors in _PERSON_GRIDS)
_SAME_PERSON = 0.3
"""Boxes that overlap by more than this (intersection over union) are one person: MediaPipe's setting."""
PALM_MEMBER = "hand_detector.tflite"
_PALM_PIXELS = 192
_PALM_GRIDS = ((24, 2), (12, 6))
"""Cells across and anchors a cell: four layers of strides 8, 16, 16, 16 with two anchors each, as MediaPipe's."""
_PALM_ANCHORS = sum(cells * cells * count for cells, count in _PALM_GRIDS)
_PALM_WRIST, _PALM_MIDDLE = 2, 4
"""Rows of a shape: after the middle and the size of the box come seven points, the wrist first."""


@dataclass(frozen=True)
class Person:
    """One person that the detector sees in a picture."""

    region: Region
    """The whole person, whose landmarks the landmark network finds in it."""
    score: float
    """0..1: how sure the network is."""


class PersonDetector:
    """Finds the people in single pictures; no memory. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, PERSON_MEMBER, [[1, _PERSON_ANCHORS, 12], [1, _PERSON_ANCHORS, 1]])
        self._anchors = anchors(_PERSON_GRIDS)

    def find(self, image: NDArray[np.uint8], confidence: float) -> tuple[Person, ...]:
        """All people whose score reaches the confidence, the surest first, in an RGB picture (height, width, 3)."""
        height, width = image.shape[:2]
        whole = Region(width / 2, height / 2, float(max(width, height)), 0.0)
        boxes, raw = self._network.run(cut(image, whole, _PERSON_PIXELS), low=-1.0)
        scores = 1 / (1 + np.exp(-raw[:, 0].astype(np.float64).clip(-100, 100)))
        likely = np.flatnonzero(scores >= confidence)
        likely = likely[np.argsort(-scores[likely], kind="stable")]
        shapes = boxes[likely].astype(np.float64).reshape(-1, 6, 2) / _PERSON_PIXELS
        shapes[:, [0, 2, 3, 4, 5]] += self._anchors[likely][:, None]
        people = []
        for shape, score in merged(shapes, scores[likely]):
            region = region_of(*whole.to_picture(shape[2:4]))
            if region is not None:
                people.append(Person(region, score))
        return tuple(people)


class PalmDetector:
    """Finds hands by their palms in single pictures; no memory. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, PALM_MEMBER, [[1, _PALM_ANCHORS, 18], [1, _PALM_ANCHORS, 1]])
        self._anchors = anchors(_PALM_GRIDS)

    def find(self, image: NDArray[np.uint8], confidence: float) -> tuple[Region, ...]:
        """Where hands are whose palm's score reaches the confidence, the surest first, in an RGB picture."""
        height, width = image.shape[:2]
        whole = Region(width / 2, height / 2, float(max(width, height)), 0.0)
        boxes, raw = self._network.run(cut(image, whole, _PALM_PIXELS))
        scores = 1 / (1 + np.exp(-raw[:, 0].astype(np.float64).clip(-100, 100)))
        likely = np.flatnonzero(scores >= confidence)
        likely = likely[np.argsort(-scores[likely], kind="stable")]
        shapes = boxes[likely].astype(np.float64).reshape(-1, 9, 2) / _PALM_PIXELS
        shapes[:, [0, *range(2, 9)]] += self._anchors[likely][:, None]
        regions = []
        for shape, _ in merged(shapes, scores[likely]):
            points = whole.to_picture(shape)
            box = np.array([points[0], shape[1] * whole.side])
            regions.append(region_at_palm(box, points[_PALM_WRIST], points[_PALM_MIDDLE]))
        return tuple(regions)


def merged(shapes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], float]]:
    """One shape a person or hand: the mean of those that overlap with the surest, weighted by their scores.

    The weighted non-maximum suppression of MediaPipe (`NonMaxSuppressionCalculator`), after Bazarevsky et al.,
    "BlazeFace", 2019.

    Args:
        shapes: (n, points, 2), the surest first: middle and size of a box, then points.
        scores: (n,).
    """
    people = []
    while len(shapes):
        same = _overlap(shapes[0], shapes) > _SAME_PERSON
        same[0] = True
        weights = scores[same] / scores[same].sum()
        people.append((np.tensordot(weights, shapes[same], axes=1), float(scores[0])))
        shapes, scores = shapes[~same], scores[~same]
    return people


def _overlap(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of the box of one shape (points, 2) with those of others (n, points, 2)."""
    low = np.maximum(one[0] - one[1] / 2, others[:, 0] - others[:, 1] / 2)
    high = np.minimum(one[0] + one[1] / 2, others[:, 0] + others[:, 1] / 2)
    both = np.prod(np.maximum(high - low, 0), axis=1)
    either = np.prod(one[1]) + np.prod(others[:, 1], axis=1) - both
    overlap: NDArray[np.float64] = np.divide(both, either, out=np.zeros(len(others)), where=either > 0)
    return overlap


def anchors(grids: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """(n, 2): the middle of each anchor, in sides of the picture; each grid is cells across and anchors a cell."""
    layers = []
    for cells, count in grids:
        rows, columns = np.divmod(np.arange(cells * cells), cells)
        layers.append(np.repeat((np.stack([columns, rows], axis=1) + 0.5) / cells, count, axis=0))
    return np.concatenate(layers)
