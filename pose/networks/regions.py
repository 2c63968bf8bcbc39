"""Square, turned regions of a picture that hold a person or a hand upright: where they lie, how they are cut out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra
from kinesphere.trajectory import HAND_LANDMARKS
from pose.landmarks import BODY_ELBOWS, BODY_INDEXES, BODY_LITTLES, BODY_WRISTS, KNUCKLES, WRIST
from pose.networks.sightings import Body, Hand

ROOM = 1.25
"""Side of a region in diameters of the circle around the person: MediaPipe's own choice, what the network learnt on."""
FOREARMS, PALMS = 1.3, 4.0
"""Side of the region at a body's wrist; the longer counts, because an arm that points at the camera is short."""
TOWARDS_KNUCKLES = 0.8
"""Centre of the region at a body's wrist, on the way from the wrist to the body model's knuckles."""
HANDS_ACROSS, FORWARD = 2.0, 0.1
"""Side of the region around a hand that is known, and how far it lies ahead of the middle, in lengths of the box around
the hand; MediaPipe's own choice."""
PALMS_ACROSS, PALM_FORWARD = 2.6, 0.5
"""The same at a palm that the detector sees, in lengths of its box; MediaPipe's own choice."""
_STEADY = [i for i, name in enumerate(HAND_LANDMARKS) if not name.endswith(("_dip", "_tip"))]
"""The box around a known hand leaves the finger tips out, so that it keeps its size as the hand opens and closes."""


@dataclass(frozen=True)
class Region:
    """A square of a picture; its upward side is where the person's head is, or where the fingers point."""

    x: float
    """Centre, pixels to the right."""
    y: float
    """Centre, pixels down."""
    side: float
    """Pixels."""
    angle: float
    """Radians by which the square is turned clockwise, as it is seen."""

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry points (n, 2), given in sides from the region's top left corner, to pixels of the picture."""
        centre: NDArray[np.float64] = np.array([self.x, self.y])
        return turned((points - 0.5) * self.side, self.angle) + centre

    def distance(self, other: Region) -> float:
        """Between the centres, in sides of the larger region: 0 is the same place."""
        return math.hypot(self.x - other.x, self.y - other.y) / max(self.side, other.side)


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points (n, 2), x right and y down, turned clockwise by radians, as it is seen, around the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    rotated: NDArray[np.float64] = points @ np.array([[cos, sin], [-sin, cos]])
    return rotated


def upward(direction: NDArray[np.float64]) -> float:
    """The angle of a region whose upward side looks along a direction (2,) of the picture."""
    return math.atan2(float(direction[0]), -float(direction[1]))


def cut(image: NDArray[np.uint8], region: Region, pixels: int) -> NDArray[np.uint8]:
    """The region as uint8 (pixels, pixels, 3), black where it leaves the picture.

    Only the region is read, with linear interpolation: so did MediaPipe when it trained the networks. An area filter
    would read eight times as much and show them pictures smoother than they know.

    Args:
        image: uint8 (height, width, 3).

    Raises:
        ValueError: the picture is of another kind: the network would see something else without a word.
    """
    with needs_extra("pose"):
        import cv2

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (height, width, 3), got {image.dtype} {image.shape}")
    corners = region.to_picture(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32)
    ends = np.array([[0, 0], [pixels, 0], [0, pixels]], np.float32)
    transform = cv2.getAffineTransform(corners, ends)
    return np.asarray(cv2.warpAffine(image, transform, (pixels, pixels), flags=cv2.INTER_LINEAR), np.uint8)


def region_of(centre: NDArray[np.float64], top: NDArray[np.float64]) -> Region | None:
    """The region of a person, from MediaPipe's two alignment points (2,), in pixels; nothing if they are one point.

    Args:
        centre: between the hips.
        top: on the circle around the whole person, above the head (`AlignmentPointsRectsCalculator` of MediaPipe).
    """
    right, down = (float(part) for part in top - centre)
    radius = math.hypot(right, down)
    if not radius > 1:
        return None
    return Region(float(centre[0]), float(centre[1]), 2 * ROOM * radius, upward(top - centre))


def region_at_wrist(body: Body, side: int, size: tuple[int, int]) -> Region:
    """Where a body's hand must be.

    Args:
        body: the body, whose wrist should be visible.
        side: 0 for the left hand, 1 for the right one.
        size: width and height of the picture in pixels.
    """
    points = body.image[:, :2].astype(np.float64) * size
    elbow, wrist = points[BODY_ELBOWS[side]], points[BODY_WRISTS[side]]
    knuckles = (points[BODY_INDEXES[side]] + points[BODY_LITTLES[side]]) / 2
    palm, forearm = np.linalg.norm(knuckles - wrist), np.linalg.norm(wrist - elbow)
    centre = wrist + TOWARDS_KNUCKLES * (knuckles - wrist)
    length = max(FOREARMS * float(forearm), PALMS * float(palm), 1.0)
    return Region(float(centre[0]), float(centre[1]), length, upward(knuckles - wrist))


def region_around(hand: Hand, size: tuple[int, int]) -> Region:
    """Where a hand must be that was there a moment ago; `size` as for `region_at_wrist`."""
    points = hand.image[:, :2].astype(np.float64) * size
    index, middle, ring = points[list(KNUCKLES)[:3]]
    angle = upward((index + 2 * middle + ring) / 4 - points[WRIST])
    upright = turned(points[_STEADY], -angle)
    low, high = upright.min(axis=0), upright.max(axis=0)
    length = float(max(high - low))
    centre = turned(((low + high) / 2 - (0, FORWARD * length))[None], angle)[0]
    return Region(float(centre[0]), float(centre[1]), max(HANDS_ACROSS * length, 1.0), angle)


def region_at_palm(box: NDArray[np.float64], wrist: NDArray[np.float64], knuckle: NDArray[np.float64]) -> Region:
    """Where the hand of a palm must be.

    Args:
        box: (2, 2), middle and size of the box around the palm, in pixels.
        wrist: (2,), the palm's wrist.
        knuckle: (2,), the first joint of its middle finger.
    """
    angle = upward(knuckle - wrist)
    ahead = turned(np.array([[0.0, -PALM_FORWARD * box[1, 1]]]), angle)[0]
    centre = box[0] + ahead
    return Region(float(centre[0]), float(centre[1]), max(PALMS_ACROSS * float(box[1].max()), 1.0), angle)
