"""The region of a picture that holds one person, upright."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pose.networks.regions import Region, upward

ROOM = 1.25
"""Side of a region in diameters of the circle around the person: MediaPipe's own choice, what the network learnt on."""


def region_of(centre: NDArray[np.float64], top: NDArray[np.float64]) -> Region | None:
    """The region of a person, from MediaPipe's two alignment points (2,), in pixels; nothing if they are one point.

    Args:
        centre: between the hips.
        top: on the circle around the whole person, above the head (`AlignmentPointsRectsCalculator` of MediaPipe).
    """
    right, down = (float(part) for part in top - centre)
    radius = math.hypot(right, down)
    if not radius > 1:
        return None
    return Region(float(centre[0]), float(centre[1]), 2 * ROOM * radius, upward(top - centre))
