"""The focal length of a camera that nobody calibrated, from what is known of it; else it is assumed."""

from __future__ import annotations

from typing import Any

from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.known_cameras import KnownCamera, known_camera

FULL_FRAME_DIAGONAL = 43.27
"""Millimetres, of 36 x 24. Equal diagonals make a focal length "equivalent" (CIPA DCG-001)."""
STILL_DIAGONAL = 1.25
"""Of a 4:3 still over its longer side. Phones state the focal length of their stills; their videos keep the width of
the sensor and lose above and below. So an iPhone 13 has a lens of 5.1 mm before 6.85 mm of sensor, 0.745 of the width;
its videos state 27 mm, which is 0.78 of the width by the still's diagonal and an impossible 0.72 by the video's own."""
CONTAINER_SD = 0.10
"""Of a focal length by that: the two diagonals differ by 9 %, and stabilisation cuts up to 10 % off the sides."""
CROPPED_SD = 0.10
"""More, of a known camera whose picture has another shape than its sensor's: of a B910, 4:3 shows 12 % more than the
16:9 picture without its sides."""
_SAME_SHAPE = 0.02


def find_intrinsics(
    width: int, height: int, focal_length_35mm: float | None = None, camera_name: str = ""
) -> dict[str, Any]:
    """The most that can be said about a camera which nobody calibrated, from the best source there is.

    Args:
        width, height: size of the upright picture in pixels.
        focal_length_35mm: as the video's container states it, in millimetres; None where it does not.
        camera_name: that the camera gives itself; empty where it is not known.

    Returns:
        As `assumed_intrinsics` gives them, where nothing is known. Else `fx`, `fy`, `cx`, `cy` and the standard
        deviations `fx_sd`, `fy_sd` in pixels, `source` "estimated" and `from`: "container" or "camera name".
    """
    longer, shorter = max(width, height), min(width, height)
    if focal_length_35mm is not None:
        focal = focal_length_35mm / FULL_FRAME_DIAGONAL * STILL_DIAGONAL * longer
        return _estimated(width, height, focal, CONTAINER_SD, "container")
    camera = known_camera(camera_name)
    if camera is not None:
        return _estimated(width, height, *_of_camera(camera, longer, shorter), "camera name")
    return assumed_intrinsics(width, height)


def _of_camera(camera: KnownCamera, longer: int, shorter: int) -> tuple[float, float]:
    """Focal length in pixels and its relative standard deviation; narrower pictures lose their sides."""
    shape = longer / shorter
    across = longer if shape > camera.shape else shorter * camera.shape
    is_whole = abs(shape / camera.shape - 1) < _SAME_SHAPE
    return camera.focal * across, camera.sd if is_whole else float((camera.sd**2 + CROPPED_SD**2) ** 0.5)


def _estimated(width: int, height: int, focal: float, relative_sd: float, origin: str) -> dict[str, Any]:
    sd = relative_sd * focal
    pixels = {"fx": focal, "fy": focal, "cx": width / 2, "cy": height / 2, "fx_sd": sd, "fy_sd": sd}
    return {**pixels, "source": "estimated", "from": origin}
