"""Left and right are held over a whole recording: what the networks exchanged for a while is exchanged back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HANDS, Valid
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS
from pose.tracking.body_sides import ARMS, EARS, LEGS, WHOLE, body_sides
from pose.tracking.hand_sides import hand_sides
from pose.tracking.least_cost_path import BLOCK_ROWS, Floats, durations

Arrays = Mapping[str, NDArray[Any]]

HANDEDNESS_COST = 6.0
"""A second: what the hand network says of one hand when it is sure; a lean of a half counts a quarter. It errs for as
long as a hand is turned away, so that its frames say the same thing many times."""
VAGUE_HAND, CLEAR_HAND = 30.0, 80.0
"""Pixels of a hand's length up to which its word counts for nothing, and from which on it counts fully. On the demo's
clip, against the light, the network is wrong of two in three hands of 30 pixels; on rendered people right of 95 in 100
from 80 on."""
OWN_WORD, WORD_OF_TRACK = 0.5, 4.0
"""What a hand tells the body that it is found at: half of what it says itself, and, a second, what all that is seen of
the two hands says, which they often were before there was a body."""
USUAL_HAND, LARGE_HAND = 0.45, 0.75
"""Trunk lengths of a hand up to which a body is believed, and from which on not: in close-ups networks see bodies in
legs and sleeves. On rendered people who are seen, hands have 0.2 to 0.6."""
MORE_FOR_HANDS = 2.0
"""How much more the hands count for a body that is not believed."""
SURE_TRACK = 4.0
"""By how much the naming of two hands has to be more likely for its full word."""
SURE = 2.0
"""By how much one naming has to be more likely than the other, as a logarithm of odds: 88 to 12."""


def _pairs(*names: str) -> tuple[list[int], list[int]]:
    """Left and right landmarks of these names."""
    left, right = ([BODY_LANDMARKS.index(f"{side}_{name}") for name in names] for side in HANDS)
    return left, right


_ARM = _pairs("elbow", "wrist", "pinky", "index", "thumb")
_LEG = _pairs("knee", "ankle", "heel", "foot_index")
_OTHER_SIDE = [
    BODY_LANDMARKS.index(name.replace("left", "right") if "left" in name else name.replace("right", "left"))
    for name in BODY_LANDMARKS
]
_FACE = [row for row, name in enumerate(BODY_LANDMARKS) if name.split("_")[0] in ("nose", "mouth") or "eye" in name]


def hold_sides(arrays: Arrays, handedness: NDArray[np.floating[Any]], size: tuple[int, int]) -> None:
    """Exchange left and right of body and hands, in place, wherever the networks took one for the other.

    Where a body is exchanged, its face comes to the other side of its ears, since a back was taken for a front or the
    reverse. Other depths stay with their joints: the network knows what is nearer, whichever way round it takes the
    body (measured; see decision 47). Arms or legs that are exchanged alone are so in the picture only: which is nearer
    follows from how the body is turned. Hands go with the wrists that they were found at.

    Frames in which the other naming is nearly as likely are marked `Valid.SIDES_UNSURE`.

    Args:
        arrays: of a trajectory, as the networks gave them, see `TrackBuilder`.
        handedness: (frames, 2) how sure the network is, 0 to 1, that the hand on each side is a right one; NaN where
            there is none.
        size: width and height of the picture in pixels.
    """
    seconds = arrays["timestamp"] / 1e9
    clear, trust = _clear(arrays, size)
    lean = 2 * handedness - 1
    votes = HANDEDNESS_COST * durations(seconds)[:, None] * clear * lean * np.abs(lean)
    for_right = np.where(np.isnan(votes), 0.0, votes)
    with_hands = np.flatnonzero(np.isfinite(arrays["hands_image"][:, :, 0, 0]).any(axis=1))
    with_body = np.flatnonzero(np.isfinite(arrays["body_image"][:, 0, 0]))
    if len(with_body):
        told = _told_by_hands(arrays, seconds, with_hands, for_right, clear, size)
        told *= 1 + MORE_FOR_HANDS * (1 - trust[:, None])
        states, margins = body_sides(arrays, seconds, with_body, told)
        whole, arms, legs = ((states & bit) > 0 for bit in (WHOLE, ARMS, LEGS))
        _exchange_body(arrays, with_body[whole])
        _exchange_limbs(arrays, with_body[arms], _ARM)
        _exchange_limbs(arrays, with_body[legs], _LEG)
        _exchange_hands(arrays, with_body[whole ^ arms], for_right)
        arrays["valid"][with_body[margins < SURE]] |= np.uint8(Valid.SIDES_UNSURE)
    if len(with_hands):
        exchanged, margins = hand_sides(arrays, seconds, with_hands, for_right, size, trust)
        _exchange_hands(arrays, with_hands[exchanged], for_right)
        arrays["valid"][with_hands[margins < SURE]] |= np.uint8(Valid.SIDES_UNSURE)


def _clear(arrays: Arrays, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """How well the network sees of each hand which one it is, (frames, 2), 0 to 1 and NaN without a hand; and how far
    the body is believed beside hands of this size, (frames,), 0 without a body."""
    frames = len(arrays["timestamp"])
    clear, trust = np.empty((frames, len(HANDS))), np.empty(frames)
    for block in _blocks(np.arange(frames)):
        hands = np.ptp(arrays["hands_image"][block][..., :2], axis=2) * np.array(size)
        lengths = hands.max(axis=-1)
        clear[block] = np.clip((lengths - VAGUE_HAND) / (CLEAR_HAND - VAGUE_HAND), 0, 1)
        shoulders, hips = (arrays["body_image"][block][:, pair, :2] * size for pair in (BODY_SHOULDERS, BODY_HIPS))
        trunk = np.linalg.norm(shoulders.mean(axis=1) - hips.mean(axis=1), axis=1)
        trunk = np.maximum(trunk, np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1))
        longest = np.nan_to_num(lengths).max(axis=1) / trunk
        trust[block] = np.nan_to_num(np.clip((LARGE_HAND - longest) / (LARGE_HAND - USUAL_HAND), 0, 1))
    return clear, trust


def _told_by_hands(
    arrays: Arrays, seconds: Floats, rows: NDArray[np.intp], for_right: Floats, clear: Floats, size: tuple[int, int]
) -> Floats:
    """(frames, 2): what the body is told of the hands at its wrists, by themselves and by their tracks."""
    if not len(rows):
        return for_right.copy()
    exchanged, margins = hand_sides(arrays, seconds, rows, for_right, size, None)
    word = WORD_OF_TRACK * durations(seconds)[rows] * np.minimum(margins / SURE_TRACK, 1) * np.where(exchanged, 1, -1)
    told = OWN_WORD * for_right
    told[rows] += word[:, None] * np.nan_to_num(clear[rows]) * (1, -1)  # an exchanged left hand is a right one
    return told


def _exchange_body(arrays: Arrays, rows: NDArray[np.intp]) -> None:
    for block in _blocks(rows):
        for name in ("body_image", "body_world", "body_visibility"):
            values = arrays[name][block][:, _OTHER_SIDE]
            if values.ndim == 3:
                ears = values[:, EARS, 2].mean(axis=1, keepdims=True)
                values[:, _FACE, 2] = 2 * ears - values[:, _FACE, 2]
            arrays[name][block] = values


def _exchange_limbs(arrays: Arrays, rows: NDArray[np.intp], pairs: tuple[list[int], list[int]]) -> None:
    left, right = pairs
    for block in _blocks(rows):
        for name in ("body_image", "body_world", "body_visibility"):
            values = arrays[name][block]
            plane = values[..., :2] if values.ndim == 3 else values  # without the depth
            plane[:, left + right] = plane[:, right + left]
            arrays[name][block] = values


def _exchange_hands(arrays: Arrays, rows: NDArray[np.intp], for_right: Floats) -> None:
    for block in _blocks(rows):
        for values in (arrays["hands_image"], arrays["hands_world"], arrays["hand_score"], for_right):
            values[block] = values[block][:, ::-1]
    valid = arrays["valid"][rows]
    bits = int(Valid.LEFT_HAND | Valid.RIGHT_HAND)
    other = np.where(valid & Valid.LEFT_HAND, int(Valid.RIGHT_HAND), 0)
    other |= np.where(valid & Valid.RIGHT_HAND, int(Valid.LEFT_HAND), 0)
    arrays["valid"][rows] = (valid & (0xFF ^ bits)) | other.astype(np.uint8)


def _blocks(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Few at a time, so that hours need little memory beside their tracks."""
    return [rows[first : first + BLOCK_ROWS] for first in range(0, len(rows), BLOCK_ROWS)]
