"""The regions of a picture in which one hand is looked for: at a body's wrist, around a hand, at a palm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import HAND_LANDMARKS
from pose.landmarks import BODY_ELBOWS, BODY_INDEXES, BODY_LITTLES, BODY_WRISTS, KNUCKLES, WRIST
from pose.networks.regions import Region, turned, upward
from pose.tracking.sightings import Body, Hand

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
