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

    STATURE: ClassVar[float] = 0.08
    """By how much a person differs from the model human of 1.7 m, who is taken for them: all places and speeds with it.
    Grown people alone differ by 6 %, among them women from men by 8."""
    RAY_BIAS: ClassVar[float] = 0.12
    """Lengths of the hand by which its wrist is wrong across the picture for as long as it is held so."""
    SPEED_FACTOR: ClassVar[tuple[float, float, float]] = (0.75, 0.75, 1.25)
    """Of the smoother's deviation of a wrist's speed, across the picture and along the view."""
    TURNING_FACTOR: ClassVar[float] = 1.15
    """Of the smoother's deviation of a wrist's turning."""

    @property
    def passing_turn(self) -> Floats:
        """Radians, about each axis, by which a turn is wrong in one frame and not in the next."""
        return np.hypot(0.15, 6.0 / np.maximum(self.pixels, 1.0))

    @property
    def lasting_turn(self) -> Floats:
        """Radians, about each axis, by which a turn is wrong for as long as the hand is held so."""
        return np.hypot(0.15, 9.0 / np.maximum(self.pixels, 1.0))

    @property
    def grip(self) -> Floats:
        """By how much a grip is wrong."""
        return np.hypot(0.08, 2.7 / np.maximum(self.pixels, 1.0))
