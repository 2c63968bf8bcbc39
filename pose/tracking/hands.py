"""The contributor's hands: at the body's wrists and where they were a moment ago, else in the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose.landmarks import BODY_WRISTS, VISIBLE
from pose.networks.detectors import PalmDetector
from pose.networks.landmark_networks import HandNetwork
from pose.networks.models import Model
from pose.networks.regions import region_around, region_at_wrist
from pose.networks.sightings import Body, Hand
from pose.tracking.sides import Sides, assign_sides, believable, reached_by, same_hand

LOOK_AROUND_EVERY = 30
"""Frames between two searches of the whole picture while a body is believed: is it a hand that looks like one?"""
PROBATION = 15
"""Believable frames in a row until a body is believed again after it was found to be a hand."""
CLOSE_UP, NO_CLOSE_UP = 15, 5
"""Bodies in a row that were hands until the picture is taken for a close-up of hands, and that were none until it no
longer is: each half a second at 30 frames a second, since bodies are looked for less often in a close-up."""
SEARCH_EVERY = 5
"""Frames between two searches of the whole picture while one hand is followed and another might appear."""
SEARCH_EMPTY_EVERY = 2
"""The same while no hand is in view: every other frame."""
WORTH_A_SECOND_LOOK = 0.2
"""Presence at the body's wrist from which on a region around what was seen there is looked at, too."""
LONGEST_WAIT = 2
"""Frames for which a wrist is left alone that showed no hand: one after the first miss, then this many. On the demo's
clip 1 gives 149 hands for 330 looks at regions, 2 gives 133 for 281, 3 gives 130 for 269."""
LEARN_SIDE = 0.1
"""Share by which a frame moves what is known of a hand's side: it takes seven clear ones to turn a left hand right."""
NEAR = 0.5
"""A palm within this many sides of a hand's region is that hand's."""


class HandFinder:
    """Finds the contributor's hands in the frames of one video, given the body in each. One thread may use it."""

    def __init__(self, model: Model, confidence: float, presence: float, max_hands: int) -> None:
        """
        Args:
            confidence: score, 0 to 1, from which on a palm in the whole picture is looked at.
            presence: how sure the network must be, 0 to 1, that it looks at a hand.
            max_hands: how many hands are followed where there is no body, bystanders' included.
        """
        self._confidence, self._presence, self._max_hands = confidence, presence, max_hands
        self._network = HandNetwork(model)
        self._palms = PalmDetector(model)
        self._sides: Sides = (None, None)
        self._sides_body: Body | None = None
        self._followed: list[Hand] = []
        self._misses, self._frames_to_wait = [0, 0], [0, 0]
        self._probation = 1
        self._is_close_up, self._against = False, 0
        self._until_look = self._until_search = 0

    @property
    def is_close_up(self) -> bool:
        """Whether the last bodies were hands: none is believed, and whoever looks for one may look less often."""
        return self._is_close_up

    def find(self, image: NDArray[np.uint8], body: Body | None) -> tuple[Body | None, Sides]:
        """The body, unless it turns out to be a hand, and its hands in the next frame.

        With a body, each hand is that of the wrist it was found at. Without one, the model says which hand it is, and
        must say otherwise for several frames before a hand that is followed changes its side.

        Args:
            image: uint8 (height, width, 3), RGB.
            body: the contributor's body in the same frame, if one was found.
        """
        size = (image.shape[1], image.shape[0])
        if body is not None and self._probation == 0:
            sides = self._at_wrists(image, body)
            hands = [hand for hand in sides if hand is not None]
            if self._is_time_to_look():
                hands += self._other_hands(image, hands)
            if self._is_believed(body, hands, size):
                self._sides, self._sides_body, self._followed = sides, body, hands
                return body, sides
        else:
            hands = self._follow(image)
            if body is not None and self._is_believed(body, hands, size):
                self._probation -= 1
                self._sides, self._sides_body = self._at_wrists(image, body), body
                return body, self._sides
        self._probation = PROBATION if body is not None else max(self._probation, 1)
        self._followed, self._sides, self._sides_body = hands, assign_sides(hands, None, size), None
        return None, self._sides

    def _is_believed(self, body: Body, hands: Sequence[Hand], size: tuple[int, int]) -> bool:
        """Whether a body is none of these hands, nor the picture a close-up of hands, which the last bodies tell."""
        is_hand = believable(body, hands, size) is None
        self._against = self._against + 1 if is_hand != self._is_close_up else 0
        if self._against >= (NO_CLOSE_UP if self._is_close_up else CLOSE_UP):
            self._is_close_up, self._against = not self._is_close_up, 0
        return not (is_hand or self._is_close_up)

    def _is_time_to_look(self) -> bool:
        self._until_look -= 1
        if self._until_look > 0:
            return False
        self._until_look = LOOK_AROUND_EVERY
        return True

    def _follow(self, image: NDArray[np.uint8]) -> list[Hand]:
        """Hands where they were a moment ago and, where there could be more, in the whole picture: anybody's."""
        size = (image.shape[1], image.shape[0])
        followed: list[Hand] = []
        for before in self._followed:
            now = self._network.look(image, region_around(before, size))
            if now.score >= self._presence and not any(same_hand(now, other, size) for other in followed):
                followed.append(replace(now, right=before.right + LEARN_SIDE * (now.right - before.right)))
        self._until_search -= 1
        if len(followed) < self._max_hands and (self._until_search <= 0 or len(followed) < len(self._followed)):
            followed += self._other_hands(image, followed)
            self._until_search = SEARCH_EVERY if followed else SEARCH_EMPTY_EVERY
        return followed[: self._max_hands]

    def _other_hands(self, image: NDArray[np.uint8], known: Sequence[Hand]) -> list[Hand]:
        """Hands in the whole picture beside those that are known, as many as are followed at once."""
        size = (image.shape[1], image.shape[0])
        places = [region_around(hand, size) for hand in known]
        found: list[Hand] = []
        for region in self._palms.find(image, self._confidence):
            if len(known) + len(found) >= self._max_hands:
                break
            if any(region.distance(place) < NEAR for place in places):
                continue
            hand = self._network.look(image, region)
            if hand.score >= self._presence and not any(same_hand(hand, other, size) for other in (*known, *found)):
                found.append(hand)
        return found

    def _at_wrists(self, image: NDArray[np.uint8], body: Body) -> Sides:
        size = (image.shape[1], image.shape[0])
        left, right = (self._at_wrist(image, body, side) for side in (0, 1))
        if left is None or right is None or not same_hand(left, right, size):
            return left, right
        # Both arms lead to one hand: it stays with the arm that had it, or else goes to the nearer wrist.
        before = [hand is not None for hand in self._sides]
        if before[0] != before[1]:
            return (left, None) if before[0] else (None, right)
        return assign_sides([left], body, size)

    def _at_wrist(self, image: NDArray[np.uint8], body: Body, side: int) -> Hand | None:
        """The hand of one arm: where its wrist took it, or else at the wrist. A wrist without one waits a while."""
        size = (image.shape[1], image.shape[0])
        before = self._sides[side]
        if before is not None:
            hand = self._network.look(image, region_around(carried(before, self._sides_body, body, side), size))
            if hand.score >= self._presence and reached_by(hand, body, side, size):
                return hand
        x, y = body.image[BODY_WRISTS[side], :2]
        if body.visibility[BODY_WRISTS[side]] < VISIBLE or not (0 <= x < 1 and 0 <= y < 1):
            return None
        if self._frames_to_wait[side] > 0:
            self._frames_to_wait[side] -= 1
            return None
        hand = self._network.look(image, region_at_wrist(body, side, size))
        if hand.score >= WORTH_A_SECOND_LOOK:
            hand = self._network.look(image, region_around(hand, size))
        if hand.score >= self._presence and reached_by(hand, body, side, size):
            self._misses[side] = 0
            return hand
        self._misses[side] += 1
        self._frames_to_wait[side] = min(self._misses[side], LONGEST_WAIT)
        return None


def carried(hand: Hand, before: Body | None, now: Body, side: int) -> Hand:
    """A hand where its arm has taken it: moved as the body's wrist moved since, where the body showed it both times.

    A quick hand goes further in a frame than the region around it reaches. On the demo's clip 40 of 114 hands were
    found where they had been, and 106 of 133 where their wrist had taken them.
    """
    wrist = BODY_WRISTS[side]
    if before is None or min(before.visibility[wrist], now.visibility[wrist]) < VISIBLE:
        return hand
    image = hand.image.copy()
    image[:, :2] += now.image[wrist, :2] - before.image[wrist, :2]
    return replace(hand, image=image)
