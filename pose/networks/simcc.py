"""The whole body of one person by a SimCC network (RTMPose, DWPose, RTMW), which answers along x and along y.

The picture is cut, scaled and normalised, and the answer read, as MMPose does it with these networks (Apache-2.0;
`GetBBoxCenterScale`, `TopdownAffine`, `PoseDataPreprocessor`, `SimCCLabel`): Jiang et al., RTMPose, arXiv 2303.07399;
Yang et al., DWPose, arXiv 2307.15880; Jiang, Xie and Li, RTMW, arXiv 2407.08634.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from pose.networks.onnx_network import OnnxNetwork, Pixels

Floats = NDArray[np.float64]

PADDING = 1.25
"""Of a person's box, on each axis: what the networks learnt on."""
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of red, green and blue in ImageNet. The networks learnt on RGB (`bgr_to_rgb=True` in their configurations)."""


class WholeBodyNetwork:
    """Finds the landmarks of the person in a box."""

    def __init__(self, path: Path, landmarks: int) -> None:
        """Open the file and try it on an empty picture.

        Args:
            path: of the ONNX file.
            landmarks: how many it should find.

        Raises:
            InvalidInput: it is of another kind; the message says what was expected and what it is.
            MissingDependency: ONNX Runtime is not installed.
        """
        self._network = OnnxNetwork(path)
        self.sha256 = self._network.sha256
        self.size = self._network.width, self._network.height
        """Width and height of the picture that the network sees."""
        found = self._network.run(np.zeros((3, *self.size[::-1]), np.float32))
        shapes = [values.shape for values in found]
        wanted = (1, landmarks)
        self._bins = shapes[0][2] / self.size[0] if len(shapes) == 2 and len(shapes[0]) == 3 else 0.0
        is_simcc = len(shapes) == 2 and all(len(shape) == 3 and shape[:2] == wanted for shape in shapes)
        if not is_simcc or self._bins < 1 or shapes[1][2] != self._bins * self.size[1]:
            raise InvalidInput(
                f"{path} should find {landmarks} landmarks along x and along y (RTMW, DWPose or RTMPose of the whole "
                f"body): two outputs of 1 x {landmarks} x bins, the same number of bins for each pixel of its "
                f"{self.size[0]}x{self.size[1]} picture; it gives {' and '.join(map(str, shapes)) or 'nothing'}"
            )

    def find(self, image: NDArray[np.uint8], box: Floats) -> tuple[Floats, Floats]:
        """Find the landmarks.

        Args:
            image: uint8 (height, width, 3), RGB.
            box: (4,) left, top, right and bottom of the person, in pixels.

        Returns:
            (landmarks, 2) x and y in pixels of the image, and (landmarks,) scores, about 0 to 1.

        Raises:
            InvalidInput: ONNX Runtime cannot run the network, or it gives numbers that are none.
        """
        centre, extent = (box[:2] + box[2:]) / 2, self._extent(box)
        along_x, along_y = self._network.run(self._seen(image, centre, extent))
        if not (np.isfinite(along_x).all() and np.isfinite(along_y).all()):
            raise InvalidInput(f"{self._network.path} gives numbers that are not finite; it is damaged or overflows")
        places = np.stack([along_x[0].argmax(axis=1), along_y[0].argmax(axis=1)], axis=1) / self._bins
        scores = np.minimum(along_x[0].max(axis=1), along_y[0].max(axis=1)).astype(np.float64)
        return places / self.size * extent + centre - extent / 2, scores

    def _extent(self, box: Floats) -> Floats:
        """Width and height of what is seen of the image: the box with room around it, in the shape of the network's."""
        width, height = np.maximum(box[2:] - box[:2], 1) * PADDING
        shape = self.size[0] / self.size[1]
        return np.array([max(width, height * shape), max(height, width / shape)])

    def _seen(self, image: NDArray[np.uint8], centre: Floats, extent: Floats) -> Pixels:
        """What the network sees: the part of the image, black where it leaves it, normalised."""
        with needs_extra("pose"):
            import cv2

        scale = self.size[0] / extent[0]
        shift = np.array(self.size) / 2 - scale * centre
        transform = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        cut = cv2.warpAffine(image, transform, self.size, flags=cv2.INTER_LINEAR).astype(np.float32)
        normal = (cut - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)
