"""A person and their hands in the pictures of one camera: the thresholds that all who look for them share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose.networks.models import Model
from pose.networks.sightings import Body
from pose.tracking.followed_person import BodyFinder
from pose.tracking.hands import HandFinder
from pose.tracking.sides import Sides


@dataclass(frozen=True)
class Thresholds:
    """When a body or a hand counts as found, in an extraction as in the live preview."""

    confidence: float = 0.5
    """Score from 0 to 1 below which a body or a hand is not found, or no longer followed."""
    hand_presence: float = 0.6
    """How sure the hand network must be, from 0 to 1, that it looks at a hand."""
    max_hands: int = 2
    """How many hands are followed where no body is in view, bystanders' included; each more costs time."""


class PersonFinder:
    """Finds the contributor's body and hands in one picture after another. One thread at a time may use it."""

    def __init__(self, pose: Model, hand: Model, thresholds: Thresholds | None = None) -> None:
        thresholds = thresholds or Thresholds()
        self._body = BodyFinder(pose, thresholds.confidence)
        self._hands = HandFinder(hand, thresholds.confidence, thresholds.hand_presence, thresholds.max_hands)

    def find(self, image: NDArray[np.uint8], timestamp_ms: int) -> tuple[Body | None, Sides]:
        """Find the contributor in the next picture.

        Args:
            image: uint8 (height, width, 3), RGB.
            timestamp_ms: time of the picture, larger than at the call before.

        Returns:
            The body that was seen, and the left and right hand. A body that turns out to be a hand is returned all the
            same: it is somebody's.
        """
        body = self._body.find(image, timestamp_ms)
        _, sides = self._hands.find(image, body)
        return body, sides

    def close(self) -> None:
        """Free the networks."""
        self._body.close()
