"""MediaPipe's landmark networks of body and hand by themselves, run by LiteRT on one region of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS
from pose.networks.models import Model
from pose.networks.network import Network
from pose.networks.regions import Region, cut, region_of, turned
from pose.networks.sightings import Body, Hand

BODY_MEMBER = "pose_landmarks_detector.tflite"
_BODY = len(BODY_LANDMARKS)
_POINTS = 39
"""The 33 landmarks of the body, the two alignment points of its region, and four of MediaPipe's own."""
_BODY_SHAPES = [[1, 5 * _POINTS], [1, 1], [1, 256, 256, 1], [1, 64, 64, _POINTS], [1, 3 * _POINTS]]
_OUTLINE = 2
"""The output that tells the person from the background, a third of the network's work, which nothing here reads."""
_KERNEL, _CONFIDENT = 7, 0.5
"""Width of the part of a heat map that refines a landmark, and its least peak: MediaPipe's settings."""
HAND_MEMBER = "hand_landmarks_detector.tflite"
DEPTH_SCALE = 0.4
"""MediaPipe divides the network's depth by this (`normalize_z` of its hand landmark graph)."""
_HAND_SHAPES = [[1, 63], [1, 1], [1, 1], [1, 63]]


@dataclass(frozen=True)
class BodySighting:
    """What the network makes of one region, whether there is a person or not."""

    body: Body
    presence: float
    """0..1: how sure the network is that it looks at a person."""
    region: Region | None
    """Where this person's own landmarks say their region is; nothing if they make no sense."""
    crop: NDArray[np.uint8]
    """uint8 (256, 256, 3): what the network looked at."""
    in_crop: NDArray[np.float64]
    """(33, 2): the landmarks in the crop, in its sides from its top left corner."""


class BodyNetwork:
    """The landmarks of one person in a region; no search, no memory, no smoothing. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, BODY_MEMBER, _BODY_SHAPES, unread={_OUTLINE})

    def look(self, image: NDArray[np.uint8], region: Region) -> BodySighting:
        """Look for a person in a region of an RGB picture, uint8 (height, width, 3)."""
        height, width = image.shape[:2]
        crop = cut(image, region, self._network.pixels)
        raw_points, presence, heat, world = self._network.run(crop)
        points = raw_points.reshape(_POINTS, 5).astype(np.float64)
        at = refined(points[:, :2] / self._network.pixels, heat)
        pixels = region.to_picture(at)
        image_points = np.empty((_BODY, 3), np.float32)
        image_points[:, :2] = pixels[:_BODY] / (width, height)
        image_points[:, 2] = points[:_BODY, 2] / self._network.pixels * (region.side / width)
        world_points = world.reshape(_POINTS, 3)[:_BODY].astype(np.float64)
        world_points[:, :2] = turned(world_points[:, :2], region.angle)
        visibility = _sigmoid(points[:_BODY, 3]).astype(np.float32)
        body = Body(image_points, world_points.astype(np.float32), visibility)
        return BodySighting(body, float(presence[0]), region_of(*pixels[_BODY : _BODY + 2]), crop, at[:_BODY])


class HandNetwork:
    """The 21 landmarks of one hand in a region; no search, no memory. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, HAND_MEMBER, _HAND_SHAPES)

    def look(self, image: NDArray[np.uint8], region: Region) -> Hand:
        """What the network makes of a region of an RGB picture, uint8 (height, width, 3); its score tells whether."""
        height, width = image.shape[:2]
        crop = cut(image, region, self._network.pixels)
        image_points, presence, right, world_points = (output.astype(np.float64) for output in self._network.run(crop))
        points, world = image_points.reshape(21, 3) / self._network.pixels, world_points.reshape(21, 3)
        points[:, 2] *= region.side / width / DEPTH_SCALE
        points[:, :2] = region.to_picture(points[:, :2]) / (width, height)
        world[:, :2] = turned(world[:, :2], region.angle)
        return Hand(points.astype(np.float32), world.astype(np.float32), float(presence[0]), float(right[0]))


def refined(points: NDArray[np.float64], heat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points (n, 2), in sides of the region, moved to the middle of the heat around them.

    As MediaPipe's `RefineLandmarksFromHeatmapCalculator`: where the heat near a point reaches a peak of 0.5, the
    point becomes the mean of the places around it, each weighted by its heat.

    Args:
        points: (n, 2), x right and y down, 0..1.
        heat: (size, size, n), before the sigmoid: how likely each point is at each place.
    """
    size = heat.shape[0]
    centre = np.trunc(points * size).astype(np.int64)
    offsets = np.arange(_KERNEL) - _KERNEL // 2
    columns, rows = centre[:, :1] + offsets, centre[:, 1:] + offsets
    inside = ((columns >= 0) & (columns < size))[:, None, :] & ((rows >= 0) & (rows < size))[:, :, None]
    near = heat[
        rows.clip(0, size - 1)[:, :, None], columns.clip(0, size - 1)[:, None, :], np.arange(len(points))[:, None, None]
    ]
    weights = np.where(inside, _sigmoid(near.astype(np.float64)), 0.0)
    total = weights.sum(axis=(1, 2))
    moves = (weights.max(axis=(1, 2)) >= _CONFIDENT) & ((centre >= 0) & (centre < size)).all(axis=1)
    total = np.where(moves, total, 1.0)
    means = np.stack(
        [
            (weights * columns[:, None, :]).sum(axis=(1, 2)) / total,
            (weights * rows[:, :, None]).sum(axis=(1, 2)) / total,
        ],
        axis=1,
    )
    return np.where(moves[:, None], means / size, points)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-values))
    return result
