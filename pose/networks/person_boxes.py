"""Where people are in a picture, by a YOLOX network (Ge et al., arXiv 2107.08430) in an ONNX file.

Of its two usual forms either is taken: the plain one, which gives a row for each cell of its three grids, and that of
MMDeploy, which has sorted them out already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from pose.networks.onnx_network import OnnxNetwork

Floats = NDArray[np.float64]

STRIDES = (8, 16, 32)
PERSON = 0
"""The class, in COCO's order and where there is only one."""
GREY = 114
"""What fills the picture where the image is narrower."""
SAME = 0.45
"""Boxes that share more of their union are one person."""


class PersonNetwork:
    """Finds the boxes around people."""

    def __init__(self, path: Path) -> None:
        """Open the file and try it on an empty picture.

        Args:
            path: of the ONNX file.

        Raises:
            InvalidInput: it is no YOLOX.
            MissingDependency: ONNX Runtime is not installed.
        """
        self._network = OnnxNetwork(path)
        self.sha256 = self._network.sha256
        size = self._network.width, self._network.height
        self._cells = _cells(*size)
        found = self._network.run(np.full((3, *size[::-1]), GREY, np.float32))
        boxes = found[0].shape
        self._is_sorted = len(boxes) == 3 and boxes[2] == 5
        if not self._is_sorted and not (len(boxes) == 3 and boxes[1] == len(self._cells) and boxes[2] > 5):
            raise InvalidInput(
                f"{path} should find people as YOLOX does: boxes of 1 x {len(self._cells)} x (5 + classes), or of "
                f"1 x boxes x 5 with labels; it gives {' and '.join(str(values.shape) for values in found)}"
            )

    def find(self, image: NDArray[np.uint8], least_score: float) -> Floats:
        """Find people.

        Args:
            image: uint8 (height, width, 3), RGB.
            least_score: from which on a box counts, 0 to 1.

        Returns:
            (people, 4) left, top, right and bottom in pixels, the largest first.

        Raises:
            InvalidInput: ONNX Runtime cannot run the network.
        """
        with needs_extra("pose"):
            import cv2

        height, width = image.shape[:2]
        scale = min(self._network.width / width, self._network.height / height)
        shown = cv2.resize(image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_LINEAR)
        canvas = np.full((self._network.height, self._network.width, 3), GREY, np.float32)
        canvas[: shown.shape[0], : shown.shape[1]] = shown[..., ::-1]  # it learnt on BGR, from 0 to 255
        outputs = self._network.run(canvas.transpose(2, 0, 1))
        boxes, scores = self._sorted(outputs) if self._is_sorted else self._unsorted(outputs[0][0])
        people = boxes[scores >= least_score]
        people = np.clip(people / scale, 0, [width, height, width, height])
        sizes = (people[:, 2:] - people[:, :2]).prod(axis=1)
        return np.asarray(people[np.argsort(-sizes, kind="stable")], np.float64)

    def _sorted(self, outputs: list[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        rows = outputs[0][0].astype(np.float64)
        labels = outputs[1].reshape(-1) if len(outputs) > 1 else np.full(len(rows), PERSON)
        rows = rows[labels == PERSON]
        return rows[:, :4], rows[:, 4]

    def _unsorted(self, rows: NDArray[np.float32]) -> tuple[Floats, Floats]:
        found = rows.astype(np.float64)
        strides = self._cells[:, 2:]
        centres = (found[:, :2] + self._cells[:, :2]) * strides
        halves = np.exp(np.minimum(found[:, 2:4], 20)) * strides / 2
        scores = found[:, 4] * found[:, 5 + PERSON]
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        kept = _without_doubles(boxes, scores)
        return boxes[kept], scores[kept]


def _cells(width: int, height: int) -> Floats:
    """(cells, 3): x, y and stride of each cell of the grids."""
    grids = []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], axis=1))
    return np.concatenate(grids).astype(np.float64)


def _without_doubles(boxes: Floats, scores: Floats, most: int = 300) -> list[int]:
    """Which boxes are left when each takes those away that lie on it and score less."""
    waiting = list(np.argsort(-scores, kind="stable")[:most])
    kept: list[int] = []
    while waiting:
        best = waiting.pop(0)
        kept.append(int(best))
        waiting = [other for other in waiting if _shared(boxes[best], boxes[other]) <= SAME]
    return kept


def _shared(one: Floats, other: Floats) -> float:
    """What two boxes share of their union."""
    overlap = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0).prod()
    union = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - overlap
    return float(overlap / union) if union > 0 else 0.0
