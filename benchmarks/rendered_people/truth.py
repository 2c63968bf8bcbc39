"""Where every landmark truly is, in the camera's frame and in the picture, and whether it can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape
from benchmarks.rendered_people.limbs import ArmRig
from benchmarks.rendered_people.rasterizer import Lens
from benchmarks.rendered_people.skeleton import skin
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS
from pose.geometry.wrist import grip, palm_axes

Array = NDArray[np.float64]

_JOINTS = {
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "pinky": "finger5-1", "index": "finger2-1",
    "thumb": "finger1-2", "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot",
}  # fmt: skip
"""Bones that begin at MediaPipe's body landmarks, left and right."""

HIDDEN_BEHIND = {"hip": 0.2, "shoulder": 0.13, "knee": 0.1, "elbow": 0.08, "ankle": 0.08}
"""Metres that a body itself is thick in front of a joint; of others 0.05."""
HAND_HIDDEN_BEHIND = 0.022
"""Metres that a finger or the palm is thick in front of its joints."""


@dataclass(frozen=True)
class LandmarkModel:
    """MediaPipe's landmarks of one body: each either where a bone begins or a mean of points of the skin."""

    shape: BodyShape
    points: Array
    """(landmarks, 3) at rest; NaN where the body has none."""
    weights: Array
    """(landmarks, bones) how bones carry them."""
    """33 of the body, then 21 of the left and 21 of the right hand."""

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
    points = np.full((len(BODY_LANDMARKS) + 2 * len(HAND_LANDMARKS), 3), np.nan)
    weights = np.zeros((len(points), len(shape.bones)))

    def bone(row: int, name: str) -> None:
        points[row], weights[row, shape.bone(name)] = shape.heads[shape.bone(name)], 1.0

    def surface(row: int, of_vertices: Array) -> None:
        points[row], weights[row] = of_vertices @ shape.vertices, of_vertices @ shape.weights

    def vertex(row: int, index: int) -> None:
        points[row], weights[row] = shape.vertices[index], shape.weights[index]

    for side, (hand, letter) in enumerate(zip(HANDS, "LR", strict=True)):
        for landmark, joint in _JOINTS.items():
            bone(BODY_LANDMARKS.index(f"{hand}_{landmark}"), f"{joint}.{letter}")
        ball = shape.eyeballs[side]
        outward = shape.vertices[ball, 0] * (1 if side == 0 else -1)
        surface(BODY_LANDMARKS.index(f"{hand}_ear"), shape.keypoints[f"{hand}_ear"])
        surface(BODY_LANDMARKS.index(f"{hand}_heel"), shape.keypoints[f"{hand}_heel"])
        surface(BODY_LANDMARKS.index(f"{hand}_foot_index"), shape.keypoints[f"{hand}_big_toe"])
        surface(BODY_LANDMARKS.index(f"{hand}_eye"), shape.keypoints[f"{hand}_eye"])
        vertex(BODY_LANDMARKS.index(f"{hand}_eye_inner"), ball[outward.argmin()])
        vertex(BODY_LANDMARKS.index(f"{hand}_eye_outer"), ball[outward.argmax()])
        frontal = shape.lips[shape.vertices[shape.lips, 1] < shape.vertices[shape.lips, 1].min() + 0.02]
        vertex(BODY_LANDMARKS.index(f"mouth_{hand}"), frontal[(shape.vertices[frontal, 0] * (1 if side == 0 else -1)).argmax()])
        rig = ArmRig(shape, side)
        first = len(BODY_LANDMARKS) + side * len(HAND_LANDMARKS)
        bone(first, f"wrist.{letter}")
        for finger, (bones, tip) in enumerate(zip(rig.fingers, rig.tips, strict=True)):
            for joint, index in enumerate(bones):
                bone(first + 1 + 4 * finger + joint, shape.bones[index])
            vertex(first + 4 + 4 * finger, tip)
    surface(BODY_LANDMARKS.index("nose"), shape.keypoints["nose"])
    return LandmarkModel(shape, points, weights)


def seen(
    camera: Array, pixels: Array, depth: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which landmarks are in the picture with nothing but their own flesh before them.

    Args:
        camera: (75, 3) landmarks in the camera's frame in metres.
        pixels: (75, 2) in the picture, in pixels.
        depth: (height, width) metres to what is seen first; may be of a smaller picture.
        size: width and height of the picture.

    Returns:
        (75,).
    """
    thick = [HIDDEN_BEHIND.get(name.split("_")[-1], 0.05) for name in BODY_LANDMARKS]
    thick += [HAND_HIDDEN_BEHIND] * (2 * len(HAND_LANDMARKS))
    inside = np.isfinite(pixels).all(axis=1)
    inside[inside] = ((pixels[inside] >= 0) & (pixels[inside] < np.array(size))).all(axis=1)
    height, width = depth.shape
    found = np.zeros(len(pixels), bool)
    columns, rows = (pixels[inside] * (np.array([width, height]) / np.array(size))).astype(int).T
    found[inside] = camera[inside, 2] - depth[rows, columns] < np.array(thick)[inside]
    return found


def truth_arrays(world: Array, visible: NDArray[np.bool_], lenses: list[Lens], times: Array) -> dict[str, NDArray]:
    """All that is known of one person before one camera.

    Args:
        world: (frames, 75, 3) landmarks in the world in metres.
        visible: (frames, 75).
        lenses: the camera in each frame.
        times: (frames,) in seconds.

    Returns:
        Arrays by name, see `benchmarks.rendered_people`.
    """
    camera = np.stack([lens.to_camera(points) for lens, points in zip(lenses, world, strict=True)])
    pixels = np.stack([lens.to_pixels(points) for lens, points in zip(lenses, camera, strict=True)])
    body = len(BODY_LANDMARKS)
    hands = camera[:, body:].reshape(len(camera), 2, -1, 3)
    return {
        "body_camera": camera[:, :body],
        "body_pixels": pixels[:, :body],
        "body_seen": visible[:, :body],
        "hands_camera": hands,
        "hands_pixels": pixels[:, body:].reshape(len(camera), 2, -1, 2),
        "hands_seen": visible[:, body:].reshape(len(camera), 2, -1),
        "wrist_rotation": np.stack([palm_axes(hands[:, side], side) for side in (0, 1)], axis=1),
        "grip": grip(hands).astype(np.float64),
        "intrinsics": np.array([lenses[0].focal, lenses[0].focal, *lenses[0].centre]),
        "timestamps": times,
        "camera_position": np.stack([lens.position for lens in lenses]),
        "camera_rotation": np.stack([lens.rotation for lens in lenses]),
    }
