"""Hands where the body says they are: one that is lost in the full frame is found in a square around its wrist.

MediaPipe's holistic graph does the same (Grishchenko and Bazarevsky, "MediaPipe Holistic", Google AI Blog, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.errors import needs_extra

from .landmarkers import Body, Hand
from .landmarks import BODY_ELBOWS, BODY_INDEXES, BODY_LITTLES, BODY_WRISTS
from .sides import VISIBLE

CROP_PIXELS = 256
FOREARMS, PALMS = 1.3, 4.0
"""The square is as wide as this many forearms or palms in the picture, whichever is more: either may point at us."""
TOWARDS_KNUCKLES = 0.8
"""Where its centre lies on the way from the wrist to the knuckles."""
SMALLEST_SQUARE = 24
"""Pixels below which there is nothing to see."""


@dataclass(frozen=True)
class Square:
    """A square part of a picture, in pixels; it may reach over the edge."""

    centre: tuple[float, float]
    side: float


def wrist_square(body: Body, side: int, size: tuple[int, int]) -> Square | None:
    """Where the hand of a visible wrist should be.

    Args:
        body: the contributor's body.
        side: 0 for the left wrist, 1 for the right one.
        size: width and height of the picture in pixels.
    """
    wrist_at = BODY_WRISTS[side]
    if body.visibility[wrist_at] < VISIBLE:
        return None
    pixels = body.image[:, :2].astype(np.float64) * np.array(size)
    wrist, elbow = pixels[wrist_at], pixels[BODY_ELBOWS[side]]
    palm = (pixels[BODY_INDEXES[side]] + pixels[BODY_LITTLES[side]]) / 2 - wrist
    width = float(max(FOREARMS * np.linalg.norm(elbow - wrist), PALMS * np.linalg.norm(palm)))
    centre = wrist + TOWARDS_KNUCKLES * palm
    inside = bool((centre >= 0).all() and (centre < np.array(size)).all())
    return Square((float(centre[0]), float(centre[1])), width) if inside and width >= SMALLEST_SQUARE else None


def cut_out(image: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    """The square as a picture of its own, uint8 (256, 256, 3); black where it reaches over the edge."""
    with needs_extra("pose"):
        import cv2

    scale = CROP_PIXELS / square.side
    shift = [CROP_PIXELS / 2 - scale * place for place in square.centre]
    to_crop = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    crop = cv2.warpAffine(image, to_crop, (CROP_PIXELS, CROP_PIXELS), flags=cv2.INTER_LINEAR)
    return np.asarray(crop, np.uint8)


def placed(hand: Hand, square: Square, size: tuple[int, int]) -> Hand:
    """A hand found in a cut-out, with its landmarks where they are in the whole picture."""
    width, height = size
    image = np.empty_like(hand.image)
    image[:, 0] = (square.centre[0] + (hand.image[:, 0] - 0.5) * square.side) / width
    image[:, 1] = (square.centre[1] + (hand.image[:, 1] - 0.5) * square.side) / height
    image[:, 2] = hand.image[:, 2] * square.side / width
    return Hand(image, hand.world, hand.side, hand.score)
