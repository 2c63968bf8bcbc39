"""Square, turned regions of a picture that the landmark networks look at: where they lie, how they are cut out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra


@dataclass(frozen=True)
class Region:
    """A square of a picture; its upward side is where the person's head is, or where the fingers point."""

    x: float
    """Centre, pixels to the right."""
    y: float
    """Centre, pixels down."""
    side: float
    """Pixels."""
    angle: float
    """Radians by which the square is turned clockwise, as it is seen."""

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry points (n, 2), given in sides from the region's top left corner, to pixels of the picture."""
        centre: NDArray[np.float64] = np.array([self.x, self.y])
        return turned((points - 0.5) * self.side, self.angle) + centre

    def distance(self, other: Region) -> float:
        """Between the centres, in sides of the larger region: 0 is the same place."""
        return math.hypot(self.x - other.x, self.y - other.y) / max(self.side, other.side)


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points (n, 2), x right and y down, turned clockwise by radians, as it is seen, around the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    rotated: NDArray[np.float64] = points @ np.array([[cos, sin], [-sin, cos]])
    return rotated


def upward(direction: NDArray[np.float64]) -> float:
    """The angle of a region whose upward side looks along a direction (2,) of the picture."""
    return math.atan2(float(direction[0]), -float(direction[1]))


def cut(image: NDArray[np.uint8], region: Region, pixels: int) -> NDArray[np.uint8]:
    """The region as uint8 (pixels, pixels, 3), black where it leaves the picture.

    Only the region is read, with linear interpolation: so did MediaPipe when it trained the networks. An area filter
    would read eight times as much and show them pictures smoother than they know.

    Args:
        image: uint8 (height, width, 3).

    Raises:
        ValueError: the picture is of another kind: the network would see something else without a word.
    """
    with needs_extra("pose"):
        import cv2

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (height, width, 3), got {image.dtype} {image.shape}")
    corners = region.to_picture(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32)
    ends = np.array([[0, 0], [pixels, 0], [0, pixels]], np.float32)
    transform = cv2.getAffineTransform(corners, ends)
    return np.asarray(cv2.warpAffine(image, transform, (pixels, pixels), flags=cv2.INTER_LINEAR), np.uint8)
