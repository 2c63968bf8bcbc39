"""Measures of pictures: light, clipping, sharpness, blur, motion. One implementation, live and for the checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra

MEASURED_WIDTH = 640
"""Pictures are measured at this width, so that the numbers of different cameras compare."""
DARK, BRIGHT = 5, 250
"""Luma at or below, at or above which a pixel counts as clipped."""
_BLUR_REACH = 9
"""Pixels over which Crété-Roffet et al. blur a picture once more."""
_BLUR_SHRINK, _MOTION_SHRINK = 2, 4
"""Blur and motion are measured in pictures this many times smaller: both are coarse, and this is quick."""

Luma = NDArray[np.uint8]
"""A picture's luma as `luma` gives it."""


@dataclass(frozen=True)
class ImageMeasurement:
    """What was measured of one picture, after scaling it down to 640 pixels of width (never up)."""

    brightness: float
    """Mean luma, 0 to 255; luma as in ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B."""
    clipped_dark: float
    """Share of the pixels, 0 to 1, whose luma is at most 5."""
    clipped_bright: float
    """Share of the pixels, 0 to 1, whose luma is at least 250."""
    sharpness: float
    """Variance of the Laplacian of luma, kernel [0 1 0; 1 -4 1; 0 1 0] (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", ICPR 2000). It depends on the scene: compare within a session, not across rooms."""
    blur: float
    """0 (sharp) to 1, in the direction in which it is worse, so that motion blur shows as well as bad focus: how little
    of the picture's variation another blur takes away (Crété-Roffet et al., "The blur effect: perception and
    estimation with a new no-reference perceptual blur metric", SPIE 6492, 2007). Hardly depends on the scene."""


@dataclass(frozen=True)
class MotionMeasurement:
    """What changed from one picture to the next."""

    largest_change: float
    """The largest change of mean luma, 0 to 255, in any square of 4x4 measured pixels. A frozen picture stays at 1 or
    below and a moving hand lifts it, which the mean over the picture, as in FFmpeg's `freezedetect`, may not show."""
    shift: float
    """By how much the picture as a whole moved, as a share of its width: the peak of the phase correlation (Kuglin and
    Hines, "The phase correlation image alignment method", 1975), with OpenCV's subpixel centroid."""


def measure(image: NDArray[np.uint8]) -> ImageMeasurement:
    """Measure one picture.

    Args:
        image: uint8 `(height, width, 3)`, RGB.

    Returns:
        Its light, clipping, sharpness and blur.

    Raises:
        InvalidInput: the array has another shape or dtype.
    """
    return measure_luma(luma(image))


def luma(image: NDArray[np.uint8]) -> Luma:
    """The luma of a picture, scaled down to 640 pixels of width (never up).

    Args:
        image: uint8 `(height, width, 3)`, RGB.

    Returns:
        uint8 `(h, w)`, `w` at most 640.

    Raises:
        InvalidInput: the array has another shape or dtype.
    """
    with needs_extra("capture"):
        import cv2
    _check(image)
    found = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = found.shape
    if width > MEASURED_WIDTH:
        size = (MEASURED_WIDTH, max(1, round(height * MEASURED_WIDTH / width)))
        found = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.uint8)


def measure_luma(picture: Luma) -> ImageMeasurement:
    """Measure one picture, given its luma."""
    with needs_extra("capture"):
        import cv2
    laplacian = cv2.Laplacian(picture, cv2.CV_16S, ksize=1)
    mean = cv2.sumElems(laplacian)[0] / picture.size  # meanStdDev takes ten times as long on 16 bits
    return ImageMeasurement(
        brightness=float(cv2.mean(picture)[0]),
        clipped_dark=cv2.countNonZero(cv2.inRange(picture, 0, DARK)) / picture.size,
        clipped_bright=cv2.countNonZero(cv2.inRange(picture, BRIGHT, 255)) / picture.size,
        sharpness=float(cv2.norm(laplacian, cv2.NORM_L2SQR) / picture.size - mean**2),
        blur=_blur(_shrunk(picture, _BLUR_SHRINK)),
    )


def coarse(image: NDArray[np.uint8]) -> Luma:
    """The luma of a picture in squares of 4x4 measured pixels, which is all that motion takes of it.

    Of pictures wider than 640 pixels some lines are looked at, every fourth of 1280 and every sixth of 1920: every
    frame is measured, and most of what that takes is reading it. The motion of real clips, and how far they shook, came
    out the same with all of their lines.

    Args:
        image: uint8 `(height, width, 3)`, RGB.

    Returns:
        uint8 `(h, w)`, `w` at most 160.

    Raises:
        InvalidInput: the array has another shape or dtype.
    """
    with needs_extra("capture"):
        import cv2
    _check(image)
    height, width = image.shape[:2]
    step = 1 if width <= MEASURED_WIDTH else 2 * width // MEASURED_WIDTH
    lines = cv2.cvtColor(image[::step], cv2.COLOR_RGB2GRAY)
    measured = min(width, MEASURED_WIDTH)
    size = max(2, measured // _MOTION_SHRINK), max(2, round(height * measured / width) // _MOTION_SHRINK)
    return np.asarray(cv2.resize(lines, size, interpolation=cv2.INTER_AREA), np.uint8)


def compare(first: Luma, second: Luma) -> MotionMeasurement:
    """Measure what changed from one picture to the next.

    Args:
        first: uint8 `(h, w)`, as `coarse` gives it.
        second: the next one, of the same size.

    Returns:
        The largest change and the shift.
    """
    with needs_extra("capture"):
        import cv2
    change = float(cv2.norm(first, second, cv2.NORM_INF))
    if change == 0:
        return MotionMeasurement(0.0, 0.0)
    height, width = first.shape
    (right, down), _ = cv2.phaseCorrelate(first.astype(np.float32), second.astype(np.float32), _window(width, height))
    return MotionMeasurement(change, math.hypot(right, down) / width)


def _check(image: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise InvalidInput(f"a picture is uint8 (height, width, 3), got {image.dtype} {image.shape}")


def _blur(picture: Luma) -> float:
    """Crété-Roffet's measure: 1 less the share of variation that a box filter takes away, in the worse direction."""
    import cv2

    worse = 0.0
    for axis, reach in ((1, (_BLUR_REACH, 1)), (0, (1, _BLUR_REACH))):
        variation = _variation(picture, axis)
        before = cv2.sumElems(variation)[0]
        if before > 0:
            remaining = cv2.subtract(variation, _variation(np.asarray(cv2.blur(picture, reach), np.uint8), axis))
            worse = max(worse, 1 - cv2.sumElems(remaining)[0] / before)
    return worse


def _variation(picture: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    """Absolute differences of neighbours along an axis."""
    import cv2

    one, other = (picture[:, 1:], picture[:, :-1]) if axis == 1 else (picture[1:], picture[:-1])
    return np.asarray(cv2.absdiff(one, other), np.uint8)


def _shrunk(picture: Luma, times: int) -> Luma:
    import cv2

    height, width = picture.shape
    size = (max(2, width // times), max(2, height // times))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=4)
def _window(width: int, height: int) -> NDArray[np.float32]:
    """Fades a picture out towards its edges, which would otherwise look like a motion of their own."""
    import cv2

    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)
