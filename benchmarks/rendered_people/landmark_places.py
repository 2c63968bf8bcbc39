"""MediaPipe's landmarks on a body: each is where a bone begins, or a place on the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape
from benchmarks.rendered_people.limbs import SIDES, ArmRig
from benchmarks.rendered_people.skeleton import skin
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS

Array = NDArray[np.float64]

_JOINTS = {
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "pinky": "finger5-1", "index": "finger2-1",
    "thumb": "finger1-2", "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot",
}  # fmt: skip
"""Bones that begin at MediaPipe's body landmarks, left and right."""


_SKIN = {"ear": "ear", "eye": "eye", "heel": "heel", "foot_index": "big_toe"}
"""COCO's points of the skin at MediaPipe's landmarks."""


@dataclass(frozen=True)
class LandmarkModel:
    """MediaPipe's landmarks of one body: each either where a bone begins or a mean of points of the skin."""

    shape: BodyShape
    points: Array
    """(landmarks, 3) at rest; NaN where the body has none."""
    weights: Array
    """(landmarks, bones) how bones carry them: 33 of the body, then 21 of the left and 21 of the right hand."""

    def at(self, turns: Array, heads: Array) -> Array:
        """(75, 3) in the pose of one frame."""
        return skin(self.shape, self.points, self.weights, turns, heads)


def landmark_model(shape: BodyShape) -> LandmarkModel:
    """Find the landmarks on a body at rest.

    Args:
        shape: the body.

    Returns:
        Its landmarks.
    """
    body, hand = len(BODY_LANDMARKS), len(HAND_LANDMARKS)
    points = np.full((body + len(HANDS) * hand, 3), np.nan)
    weights = np.zeros((len(points), len(shape.bones)))

    def put(landmark: int | str, place: int | str | Array) -> None:
        """At the beginning of a bone, at a vertex, or at a mean of vertices."""
        row = BODY_LANDMARKS.index(landmark) if isinstance(landmark, str) else landmark
        if isinstance(place, str):
            points[row], weights[row, shape.bone(place)] = shape.heads[shape.bone(place)], 1.0
        else:
            of_vertices = np.eye(1, len(shape.vertices), place)[0] if isinstance(place, int) else place
            points[row], weights[row] = of_vertices @ shape.vertices, of_vertices @ shape.weights

    put("nose", shape.keypoints["nose"])
    frontal = shape.lips[shape.vertices[shape.lips, 1] < shape.vertices[shape.lips, 1].min() + 0.02]
    for side, (name, letter) in enumerate(zip(HANDS, SIDES, strict=True)):
        out = shape.vertices[:, 0] * (1 if side == 0 else -1)
        for landmark, joint in _JOINTS.items():
            put(f"{name}_{landmark}", f"{joint}.{letter}")
        for landmark, keypoint in _SKIN.items():
            put(f"{name}_{landmark}", shape.keypoints[f"{name}_{keypoint}"])
        eye = shape.eyeballs[side]
        put(f"{name}_eye_inner", int(eye[out[eye].argmin()]))
        put(f"{name}_eye_outer", int(eye[out[eye].argmax()]))
        put(f"mouth_{name}", int(frontal[out[frontal].argmax()]))
        rig = ArmRig(shape, side)
        first = body + side * hand
        put(first, f"wrist.{letter}")
        for finger, (bones, tip) in enumerate(zip(rig.fingers, rig.tips, strict=True)):
            for joint_number, bone in enumerate(bones):
                put(first + 1 + 4 * finger + joint_number, shape.bones[bone])
            put(first + 4 + 4 * finger, tip)
    return LandmarkModel(shape, points, weights)
