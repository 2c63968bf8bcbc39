"""Whose hand is it, and which: gives the hands found in a frame to the contributor's own left and right."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import HANDS
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS, VISIBLE, WRIST
from pose.networks.sightings import Body, Hand

WRIST_REACH = 1.0
"""A hand belongs to a visible wrist if it begins within this many of its own lengths from it."""
SHOULDER_REACH = 2.0
"""A hand whose body wrist is hidden must lie within this many trunk lengths of the shoulder."""
UNLIKELY_SIDE = 0.7
"""Without a body, a hand goes to a side unless the model is surer than this that it is the other one."""
SAME_HAND = 0.4
"""Two hands that are on the average closer than this many hand lengths are one hand, seen twice."""
LARGEST_HAND = 1.5
"""No hand is longer in the picture than this many trunk lengths: such a "body" was seen in the hand itself."""

Sides = tuple[Hand | None, Hand | None]
"""The contributor's left and right hand in one frame."""


def believable(body: Body | None, hands: Sequence[Hand], size: tuple[int, int]) -> Body | None:
    """The body, unless it is smaller than a hand in the same picture allows.

    In a close-up the body model takes a hand for a whole person, with shoulders and hips in the palm.

    Args:
        size: width and height of the picture in pixels.
    """
    if body is None or any(_length(hand, size) > LARGEST_HAND * _trunk(body, size) for hand in hands):
        return None
    return body


def assign_sides(hands: Sequence[Hand], body: Body | None, size: tuple[int, int]) -> Sides:
    """Choose the contributor's left and right hand among the hands found.

    With a body, a hand goes to the nearer wrist that the body model sees, one hand each, however the hand model
    calls it; a hand that begins further than its own length from both belongs to a bystander and is dropped.
    Where a wrist is hidden or out of the picture, the hand model's word for that side is taken, for a hand that the
    arm could reach. Without a body, the hand model's word decides; of two hands that it is sure are the same side,
    the surer is kept.

    Args:
        hands: what was found in the picture, anybody's.
        body: the contributor's body in the same frame.
        size: width and height of the picture in pixels.
    """
    if body is not None:
        return _cheapest(hands, _body_costs(hands, body, size), WRIST_REACH)
    costs = np.array([(hand.right, 1 - hand.right) for hand in hands]).reshape(-1, len(HANDS))
    return _cheapest(hands, costs, UNLIKELY_SIDE)


def reached_by(hand: Hand, body: Body, side: int, size: tuple[int, int]) -> bool:
    """Whether a hand lies where the body's arm of a side could have it; `assign_sides` says when."""
    return bool(_body_costs([hand], body, size, side)[0, side] <= WRIST_REACH)


def same_hand(first: Hand, second: Hand, size: tuple[int, int]) -> bool:
    """Whether two hands lie on each other: their landmarks differ by less than a part of a hand's length."""
    distance = np.linalg.norm(_pixels(first.image, size) - _pixels(second.image, size), axis=1).mean()
    return bool(distance < SAME_HAND * max(_length(first, size), _length(second, size)))


def _body_costs(
    hands: Sequence[Hand], body: Body, size: tuple[int, int], side: int | None = None
) -> NDArray[np.float64]:
    """(hands, 2): how far each hand is from being the body's left or right one; infinite where it cannot be.

    Where the wrist is hidden, a hand can be that of `side`, by default the side that the model takes it for.
    """
    costs = np.full((len(hands), len(HANDS)), np.inf)
    wrists = _pixels(body.image, size)[list(BODY_WRISTS)]
    shoulders = _pixels(body.image, size)[list(BODY_SHOULDERS)]
    seen = body.visibility[list(BODY_WRISTS)] >= VISIBLE
    for row, hand in enumerate(hands):
        root = _pixels(hand.image, size)[WRIST]
        from_wrists = np.linalg.norm(wrists - root, axis=1) / _length(hand, size)
        costs[row] = np.where(seen & (from_wrists <= WRIST_REACH), from_wrists, np.inf)
        its_side = int(hand.right >= 0.5) if side is None else side
        from_shoulder = np.linalg.norm(shoulders[its_side] - root)
        if not seen[its_side] and from_shoulder <= SHOULDER_REACH * _trunk(body, size):
            costs[row, its_side] = 0.9 * WRIST_REACH
    return costs


def _cheapest(hands: Sequence[Hand], costs: NDArray[np.float64], nobody: float) -> Sides:
    """One hand a side for the least total cost, where a side without a hand costs `nobody`."""
    choices: list[int | None] = [None, *range(len(hands))]
    best: Sides = (None, None)
    least = np.inf
    for left, right in itertools.product(choices, choices):
        if left is not None and left == right:
            continue
        cost = nobody if left is None else costs[left, 0]
        cost += nobody if right is None else costs[right, 1]
        if cost < least:
            least = cost
            best = (None if left is None else hands[left], None if right is None else hands[right])
    return best


def _pixels(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return image[:, :2] * np.array(size, np.float32)


def _length(hand: Hand, size: tuple[int, int]) -> float:
    """The longer side of the box around a hand, in pixels: unlike the palm it hardly shrinks as the hand turns."""
    return float(np.ptp(_pixels(hand.image, size), axis=0).max())


def _trunk(body: Body, size: tuple[int, int]) -> float:
    """The trunk's length in pixels, or its width where that is longer because the person bends to the camera."""
    points = _pixels(body.image, size)
    shoulders, hips = points[list(BODY_SHOULDERS)], points[list(BODY_HIPS)]
    length = np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0))
    return float(max(length, np.linalg.norm(shoulders[0] - shoulders[1])))
