"""Square, turned regions of a picture that hold one person, upright: where they lie, and how they are cut out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.errors import needs_extra

ROOM = 1.25
"""Side of a region in diameters of the circle around the person: MediaPipe's own choice, what the network learnt on."""


@dataclass(frozen=True)
class BodyRegion:
    """A square of a picture; its upward side is where the person's head is."""

    x: float
    """Centre, between the hips, pixels to the right."""
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

    def distance(self, other: BodyRegion) -> float:
        """Between the centres, in sides of the larger region: 0 is the same place."""
        return math.hypot(self.x - other.x, self.y - other.y) / max(self.side, other.side)


def region_of(centre: NDArray[np.float64], top: NDArray[np.float64]) -> BodyRegion | None:
    """The region of a person, from MediaPipe's two alignment points (2,), in pixels; nothing if they are one point.

    Args:
        centre: between the hips.
        top: on the circle around the whole person, above the head (`AlignmentPointsRectsCalculator` of MediaPipe).
    """
    right, down = (float(part) for part in top - centre)
    radius = math.hypot(right, down)
    if not radius > 1:
        return None
    return BodyRegion(float(centre[0]), float(centre[1]), 2 * ROOM * radius, math.atan2(right, -down))


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points (n, 2), x right and y down, turned clockwise by radians, as it is seen, around the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    rotated: NDArray[np.float64] = points @ np.array([[cos, sin], [-sin, cos]])
    return rotated


def cut(image: NDArray[np.uint8], region: BodyRegion, pixels: int) -> NDArray[np.uint8]:
    """The region as uint8 (pixels, pixels, 3), black where it leaves the picture.

    Only the region is read, with linear interpolation: so did MediaPipe when it trained the networks. An area filter
    would read eight times as much and show them pictures smoother than they know.
    """
    with needs_extra("pose"):
        import cv2

    corners = region.to_picture(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32)
    ends = np.array([[0, 0], [pixels, 0], [0, pixels]], np.float32)
    transform = cv2.getAffineTransform(corners, ends)
    return np.asarray(cv2.warpAffine(image, transform, (pixels, pixels), flags=cv2.INTER_LINEAR), np.uint8)
