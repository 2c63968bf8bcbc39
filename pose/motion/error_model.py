"""How wrong landmarks, turns and grips are: measured on rendered people (decision 48), and kept beside the numbers.

A standard deviation here is that of a normal distribution whose 90 % interval holds nine errors of ten; errors have
heavier tails than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorModel:
    """How wrong what a hand says is, for its length in the picture: the network sees it at 224 pixels."""

    pixels: Floats
    """(...): length of the hand; NaN where there is none."""

    PLACE_FACTOR: ClassVar[float] = 1.0
    """Of the smoother's deviation of a wrist's place."""
    SPEED_FACTOR: ClassVar[float] = 1.0
    """Of the smoother's deviation of a wrist's speed."""
    TURNING_FACTOR: ClassVar[float] = 1.0
    """Of the smoother's deviation of a wrist's turning."""

    @property
    def passing_turn(self) -> Floats:
        """Radians, about each axis, by which a turn is wrong in one frame and not in the next."""
        return np.hypot(0.15, 6.0 / np.maximum(self.pixels, 1.0))

    @property
    def lasting_turn(self) -> Floats:
        """Radians, about each axis, by which a turn is wrong for as long as the hand is held so."""
        return np.hypot(0.1, 6.0 / np.maximum(self.pixels, 1.0))

    @property
    def grip(self) -> Floats:
        """By how much a grip is wrong."""
        return np.hypot(0.06, 2.0 / np.maximum(self.pixels, 1.0))
