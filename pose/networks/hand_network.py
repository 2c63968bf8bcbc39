"""MediaPipe's hand landmark network by itself, run by LiteRT on one region of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose.networks.models import Model
from pose.networks.network import Network
from pose.networks.regions import Region, cut, turned
from pose.tracking.sightings import Hand

MEMBER = "hand_landmarks_detector.tflite"
DEPTH_SCALE = 0.4
"""MediaPipe divides the network's depth by this (`normalize_z` of its hand landmark graph)."""
_SHAPES = [[1, 63], [1, 1], [1, 1], [1, 63]]


class HandNetwork:
    """The 21 landmarks of one hand in a region; no search, no memory. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, MEMBER, _SHAPES)

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
