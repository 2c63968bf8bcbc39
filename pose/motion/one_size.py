"""One person has one size: bones keep their lengths over a recording, and left is as long as right.

The networks give each frame a body and a hand of its own size: a hand's length varies by a seventh from pose to pose,
and with it the depth at which it seems to be. Directions are kept, lengths replaced; the palm keeps its shape, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS
from pose.geometry.wrist import palm_axes
from pose.landmarks import FINGERS, KNUCKLES, VISIBLE, WRIST, Bone
from pose.tracking.filtering import spread_over

Floats = NDArray[np.float64]

HAND_LENGTH = 0.185
"""Metres from the wrist along the middle finger to its tip: mean of men's 194 and women's 181 mm from the crease of the
wrist (Greiner, "Hand Anthropometry of U.S. Army Personnel", 1991), less the bend of the fingers' pads. A hand of this
length belongs to the model body's 1.7 m."""
PALM = (WRIST, HAND_LANDMARKS.index("thumb_cmc"), *KNUCKLES)
"""What does not bend."""
FEWEST_FRAMES = 10
"""Frames of a limb that must be seen until its length is believed."""

_FINGERS = tuple(
    [WRIST, *(i for i, name in enumerate(HAND_LANDMARKS) if name.startswith(finger))] for finger in FINGERS
)
_BONES = tuple(bone for finger in _FINGERS for bone in pairwise(finger))
_MIDDLE = slice(4 * FINGERS.index("middle"), 4 * FINGERS.index("middle") + 4)


def _limb(side: str, first: str, last: str, *others: str) -> tuple[Bone, list[int]]:
    near, far = (BODY_LANDMARKS.index(f"{side}_{name}") for name in (first, last))
    return (near, far), [far, *(BODY_LANDMARKS.index(f"{side}_{name}") for name in others)]


_LIMBS = tuple(
    tuple(_limb(side, *names) for side in HANDS)
    for names in (
        ("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
        ("elbow", "wrist", "pinky", "index", "thumb"),
        ("hip", "knee", "ankle", "heel", "foot_index"),
        ("knee", "ankle", "heel", "foot_index"),
    )
)
"""Each limb, left and right: its bone, and the landmarks that go where its far end goes."""


@dataclass(frozen=True)
class HandShape:
    """What stays the same of a person's hands."""

    lengths: Floats
    """(20,): metres, of the bones from the wrist along each finger."""
    palm: Floats
    """(6, 3): `PALM` in the axes of a right palm, metres from the wrist; a left one is its mirror image."""

    def of_side(self, side: int) -> Floats:
        """The palm of the left (0) or the right hand (1)."""
        return self.palm if side == 1 else self.palm * np.array([1.0, -1.0, 1.0])


def hand_shape(world: NDArray[np.floating[Any]]) -> HandShape | None:
    """The shape of a person's hands: proportions as the network has them, at the length of a usual hand.

    Args:
        world: (frames, 2, 21, 3) hand landmarks in metres; NaN where there is no hand.

    Returns:
        The shape; None where there is no hand.
    """
    seen = [spread_over(np.flatnonzero(np.isfinite(world[:, side]).all(axis=(1, 2)))) for side in range(len(HANDS))]
    hands = [np.asarray(world[rows, side], np.float64) for side, rows in enumerate(seen)]
    lengths = np.concatenate([_lengths(hand) for hand in hands])
    lengths = lengths[lengths[:, _MIDDLE].sum(axis=1) > 0]
    if len(lengths) == 0:
        return None
    shares = np.median(lengths / lengths.sum(axis=1, keepdims=True), axis=0)
    proper = shares * (HAND_LENGTH / shares[_MIDDLE].sum())
    palms = []
    for side, hand in enumerate(hands):
        stretched = _stretched(hand, proper)
        turned = np.einsum("fni,fij->fnj", stretched[:, PALM], palm_axes(stretched, side))
        palms.append(turned * np.array([1.0, 1.0 if side == 1 else -1.0, 1.0]))
    every = np.concatenate(palms)
    return HandShape(proper, np.median(every[np.isfinite(every).all(axis=(1, 2))], axis=0))


def of_one_shape(world: NDArray[np.floating[Any]], side: int, shape: HandShape) -> Floats:
    """Hands of one side with the palm and the lengths of their owner's hands, bent and turned as they were.

    The palm is fitted to the network's (Kabsch, Acta Crystallographica A32, 1976), the fingers begin where it ends.

    Args:
        world: (frames, 21, 3) hand landmarks; NaN where there is no hand.
        side: 0 for left hands, 1 for right ones.
        shape: of the person's hands.

    Returns:
        (frames, 21, 3): metres; their middle stays where it was.
    """
    bent = np.asarray(world, np.float64)
    found = np.isfinite(bent).all(axis=(1, 2))
    result = np.full_like(bent, np.nan)
    if not found.any():
        return result
    hands = bent[found]
    palm = shape.of_side(side)
    fitted = _fitted(palm - palm.mean(axis=0), _stretched(hands, shape.lengths)[:, PALM])
    placed = np.zeros_like(hands)
    placed[:, PALM] = palm @ fitted.swapaxes(1, 2)
    for bone, (near, far) in enumerate(_BONES):
        if far not in PALM:
            placed[:, far] = placed[:, near] + _directions(hands, near, far) * shape.lengths[bone]
    placed += (hands.mean(axis=1) - placed.mean(axis=1))[:, None]
    result[found] = placed
    return result


def even_limbs(world: NDArray[np.float32], visibility: NDArray[np.float32]) -> None:
    """Give the body's limbs, in place, one length each for the recording, the same left and right.

    Args:
        world: (frames, 33, 3) body landmarks in metres; NaN where there is no body.
        visibility: (frames, 33).
    """
    for limb in _LIMBS:
        lengths = [_seen_lengths(world, visibility, bone) for bone, _ in limb]
        both = np.concatenate(lengths)
        if len(both) < FEWEST_FRAMES:
            continue
        length = float(np.median(both))
        for (near, far), moved in limb:
            bones = world[:, far] - world[:, near]
            now = np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-6)
            world[:, moved] += (bones * (length / now - 1))[:, None].astype(np.float32)


def _seen_lengths(world: NDArray[np.float32], visibility: NDArray[np.float32], bone: Bone) -> Floats:
    near, far = bone
    seen = np.isfinite(world[:, near, 0]) & (np.minimum(visibility[:, near], visibility[:, far]) >= VISIBLE)
    rows = spread_over(np.flatnonzero(seen))
    return np.asarray(np.linalg.norm(world[rows, far] - world[rows, near], axis=1), np.float64)


def _lengths(hands: Floats) -> Floats:
    near, far = np.array(_BONES).T
    return np.asarray(np.linalg.norm(hands[:, far] - hands[:, near], axis=2), np.float64)


def _directions(hands: Floats, near: int, far: int) -> Floats:
    bones = hands[:, far] - hands[:, near]
    return np.asarray(bones / np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-6), np.float64)


def _stretched(hands: Floats, lengths: Floats) -> Floats:
    """Hands with bones of these lengths, from the wrist on; the wrist is the origin."""
    stretched = np.zeros_like(hands)
    for bone, (near, far) in enumerate(_BONES):
        stretched[:, far] = stretched[:, near] + _directions(hands, near, far) * lengths[bone]
    return stretched


def _fitted(model: Floats, points: Floats) -> Floats:
    """(frames, 3, 3): rotations that bring a model (n, 3), whose middle is 0, nearest to points (frames, n, 3)."""
    across = np.einsum("ni,fnj->fij", model, points - points.mean(axis=1, keepdims=True))
    left, _, right = np.linalg.svd(across)
    signs = np.sign(np.linalg.det(left @ right))
    left[:, :, 2] *= signs[:, None]
    return np.asarray((left @ right).swapaxes(1, 2), np.float64)
