"""MediaPipe's palm detection network by itself, run by LiteRT on a whole picture: its hands, but for small ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose.networks.hand_regions import region_at_palm
from pose.networks.models import Model
from pose.networks.network import Network
from pose.networks.person_detection import anchors, merged
from pose.networks.regions import Region, cut

MEMBER = "hand_detector.tflite"
_PIXELS = 192
_GRIDS = ((24, 2), (12, 6))
"""Cells across and anchors a cell: four layers of strides 8, 16, 16, 16 with two anchors each, as MediaPipe's."""
_ANCHORS = sum(cells * cells * count for cells, count in _GRIDS)
_WRIST, _MIDDLE = 2, 4
"""Rows of a shape: after the middle and the size of the box come seven points, the wrist first."""


class PalmDetector:
    """Finds hands by their palms in single pictures; no memory. One thread at a time may use it."""

    def __init__(self, model: Model) -> None:
        self._network = Network(model, MEMBER, [[1, _ANCHORS, 18], [1, _ANCHORS, 1]])
        self._anchors = anchors(_GRIDS)

    def find(self, image: NDArray[np.uint8], confidence: float) -> tuple[Region, ...]:
        """Where hands are whose palm's score reaches the confidence, the surest first, in an RGB picture."""
        height, width = image.shape[:2]
        whole = Region(width / 2, height / 2, float(max(width, height)), 0.0)
        boxes, raw = self._network.run(cut(image, whole, _PIXELS))
        scores = 1 / (1 + np.exp(-raw[:, 0].astype(np.float64).clip(-100, 100)))
        likely = np.flatnonzero(scores >= confidence)
        likely = likely[np.argsort(-scores[likely], kind="stable")]
        shapes = boxes[likely].astype(np.float64).reshape(-1, 9, 2) / _PIXELS
        shapes[:, [0, *range(2, 9)]] += self._anchors[likely][:, None]
        regions = []
        for shape, _ in merged(shapes, scores[likely]):
            points = whole.to_picture(shape)
            box = np.array([points[0], shape[1] * whole.side])
            regions.append(region_at_palm(box, points[_WRIST], points[_MIDDLE]))
        return tuple(regions)
