"""Camera intrinsics where nobody calibrated the camera, and points in the picture freed of its distortion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra

ASSUMED_FIELD_OF_VIEW = 66.0
"""Degrees along the longer side of the picture: the median of 14 webcams that were calibrated by others (see
`known_cameras`); webcams and phones lie between 55 and 80."""
ASSUMED_SD = 0.2
"""Relative standard deviation of the focal length from the assumed one, if all between are equally likely."""


def assumed_intrinsics(width: int, height: int) -> dict[str, Any]:
    """A pinhole camera with square pixels, its axis through the middle of the picture and a usual field of view.

    Args:
        width, height: size of the upright picture in pixels.

    Returns:
        `fx`, `fy`, `cx`, `cy` in pixels, measured from the picture's top left corner, the standard deviations `fx_sd`,
        `fy_sd` in pixels, and `source` "assumed".
    """
    focal = max(width, height) / 2 / math.tan(math.radians(ASSUMED_FIELD_OF_VIEW) / 2)
    sd = ASSUMED_SD * focal
    pixels = {"fx": focal, "fy": focal, "cx": width / 2, "cy": height / 2, "fx_sd": sd, "fy_sd": sd}
    return {**pixels, "source": "assumed"}


def undistorted(points: NDArray[np.floating[Any]], intrinsics: Mapping[str, Any]) -> NDArray[np.float64]:
    """Where points of the picture would be if the lens did not bend its edges.

    Args:
        points: (..., 2) in pixels from the picture's top left corner; NaN where missing.
        intrinsics: `fx`, `fy`, `cx`, `cy` in pixels and, if the camera has any, `distortion` k1 k2 p1 p2 k3.

    Returns:
        float64 (..., 2) in pixels of a pinhole camera with the same focal lengths and centre.
    """
    straight = np.array(points, np.float64)
    distortion = np.array(intrinsics.get("distortion", ()), np.float64)
    there = np.isfinite(straight).all(axis=-1)
    if not distortion.any() or not there.any():
        return straight
    with needs_extra("pose"):
        import cv2

    camera = np.array([[intrinsics["fx"], 0, intrinsics["cx"]], [0, intrinsics["fy"], intrinsics["cy"]], [0, 0, 1.0]])
    # the default five rounds leave a pixel at the corners of wide lenses
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
    found = cv2.undistortPoints(straight[there].reshape(-1, 1, 2), camera, distortion, R=None, P=camera, criteria=stop)
    straight[there] = np.asarray(found, np.float64).reshape(-1, 2)
    return straight
