"""Measures of one picture: light, clipping, sharpness. One implementation for live advice and for later checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.errors import InvalidInput, needs_extra

MEASURED_WIDTH = 640
"""Pictures are measured at this width, so that the numbers of different cameras compare."""
DARK, BRIGHT = 5, 250
"""Luma at or below, at or above which a pixel counts as clipped."""


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


def measure(image: NDArray[np.uint8]) -> ImageMeasurement:
    """Measure one picture.

    Args:
        image: uint8 `(height, width, 3)`, RGB.

    Raises:
        InvalidInput: the array has another shape or dtype.
    """
    with needs_extra("capture"):
        import cv2
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise InvalidInput(f"a picture is uint8 (height, width, 3), got {image.dtype} {image.shape}")
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = luma.shape
    if width > MEASURED_WIDTH:
        size = (MEASURED_WIDTH, max(1, round(height * MEASURED_WIDTH / width)))
        luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    counts = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S, ksize=1))
    return ImageMeasurement(
        brightness=float(counts @ np.arange(256) / luma.size),
        clipped_dark=float(counts[: DARK + 1].sum() / luma.size),
        clipped_bright=float(counts[BRIGHT:].sum() / luma.size),
        sharpness=float(deviation[0, 0] ** 2),
    )
