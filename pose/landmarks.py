"""Which landmarks are joined by bones, and where the wrists are; the names are those of `kinesphere.trajectory`."""

from __future__ import annotations

from itertools import pairwise

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS

FINGERS = ("thumb", "index", "middle", "ring", "pinky")

Bone = tuple[int, int]
"""Indices of the two landmarks that a bone joins."""


def _body(first: str, second: str) -> Bone:
    return BODY_LANDMARKS.index(first), BODY_LANDMARKS.index(second)


def _limbs(side: str) -> tuple[Bone, ...]:
    names = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "heel", "foot_index", "ankle")
    arm_and_leg = [pair for chain in names for pair in pairwise(chain)]
    return tuple(_body(f"{side}_{a}", f"{side}_{b}") for a, b in arm_and_leg)


def _finger(name: str) -> tuple[Bone, ...]:
    joints = [0, *(i for i, landmark in enumerate(HAND_LANDMARKS) if landmark.startswith(name))]
    return tuple(pairwise(joints))


BODY_SIDES: tuple[tuple[Bone, ...], ...] = tuple(_limbs(side) for side in HANDS)
"""Bones of arm and leg, left then right. MediaPipe's four points of a hand in the body model are left out."""

BODY_MIDDLE: tuple[Bone, ...] = (
    _body("left_shoulder", "right_shoulder"),
    _body("left_shoulder", "left_hip"),
    _body("right_shoulder", "right_hip"),
    _body("left_hip", "right_hip"),
)
"""Bones of the trunk."""

BODY_HEAD: tuple[Bone, ...] = (_body("left_ear", "nose"), _body("nose", "right_ear"))
"""Which way the head looks."""

HAND_BONES: tuple[Bone, ...] = (*(bone for name in FINGERS for bone in _finger(name)), (5, 9), (9, 13), (13, 17))
"""Bones of one hand: each finger from the wrist to its tip, and across the knuckles."""

BODY_SHOULDERS = _body("left_shoulder", "right_shoulder")
BODY_HIPS = _body("left_hip", "right_hip")
BODY_ELBOWS = _body("left_elbow", "right_elbow")
BODY_WRISTS = _body("left_wrist", "right_wrist")
BODY_INDEXES = _body("left_index", "right_index")
BODY_LITTLES = _body("left_pinky", "right_pinky")

WRIST = HAND_LANDMARKS.index("wrist")
THUMB_TIP = HAND_LANDMARKS.index("thumb_tip")
INDEX_TIP = HAND_LANDMARKS.index("index_tip")
KNUCKLES = tuple(HAND_LANDMARKS.index(f"{name}_mcp") for name in FINGERS[1:])
"""Index, middle, ring and little finger."""
MIDDLE_FINGER = (WRIST, *(HAND_LANDMARKS.index(f"middle_{joint}") for joint in ("mcp", "pip", "dip", "tip")))
"""The chain whose length is the length of the hand."""

VISIBLE = 0.5
"""Visibility from which on the place of a body landmark is believed, 0 to 1."""
