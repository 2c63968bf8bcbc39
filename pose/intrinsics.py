"""Camera intrinsics of recordings whose camera nobody calibrated."""

from __future__ import annotations

import math
from typing import Any

ASSUMED_FIELD_OF_VIEW = 60.0
"""Degrees along the longer side of the picture; webcams and phones lie between 55 and 80."""


def assumed_intrinsics(width: int, height: int) -> dict[str, Any]:
    """A pinhole camera with square pixels, its axis through the middle of the picture and a usual field of view.

    Args:
        width, height: size of the upright picture in pixels.

    Returns:
        `fx`, `fy`, `cx`, `cy` in pixels, measured from the picture's top left corner, and `source` "assumed".
    """
    focal = max(width, height) / 2 / math.tan(math.radians(ASSUMED_FIELD_OF_VIEW) / 2)
    return {"fx": focal, "fy": focal, "cx": width / 2, "cy": height / 2, "source": "assumed"}
