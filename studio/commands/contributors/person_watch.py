"""Looks for a person and their hands in the live picture, with the same models as the extraction."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.live.live_view import Seen


class PersonWatch:
    """A `capture.live.live_view.Watch`. Made in one thread, used in another; one thread at a time.

    Raises:
        MissingDependency: the extra `pose` is not installed.
        KinesphereError: the models are not there and cannot be fetched.
    """

    def __init__(self, pose_model: Path | None = None, hand_model: Path | None = None) -> None:
        from pose.networks import models
        from pose.tracking.person_finder import PersonFinder

        self._finder = PersonFinder(models.pose_model(pose_model), models.hand_model(hand_model))

    def __call__(self, image: NDArray[np.uint8]) -> Seen:
        """Who is in a picture, uint8 (height, width, 3), RGB, taken now."""
        body, sides = self._finder.find(image, time.monotonic_ns() // 1_000_000)
        hands = sum(hand is not None for hand in sides)
        return Seen(body is not None or hands > 0, hands)

    def close(self) -> None:
        """Free the networks."""
        self._finder.close()
