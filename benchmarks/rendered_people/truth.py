"""Where every landmark truly is, in the camera's frame and in the picture, and whether it can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.camera_views import Lens
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from pose.geometry.wrist import grip, palm_axes

Array = NDArray[np.float64]

HIDDEN_BEHIND = {"hip": 0.2, "shoulder": 0.13, "knee": 0.1, "elbow": 0.08, "ankle": 0.08}
"""Metres that a body itself is thick in front of a joint; of others 0.05."""
HAND_HIDDEN_BEHIND = 0.022
"""Metres that a finger or the palm is thick in front of its joints."""


def seen(camera: Array, pixels: Array, depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which landmarks are in the picture with nothing but their own flesh before them.

    Args:
        camera: (75, 3) landmarks in the camera's frame in metres.
        pixels: (75, 2) in the picture, in pixels.
        depth: (height, width) metres to what is seen first.

    Returns:
        (75,).
    """
    thick = [HIDDEN_BEHIND.get(name.split("_")[-1], 0.05) for name in BODY_LANDMARKS]
    thick += [HAND_HIDDEN_BEHIND] * (2 * len(HAND_LANDMARKS))
    height, width = depth.shape
    inside = np.asarray(((pixels >= 0) & (pixels < (width, height))).all(axis=1))  # NaN is neither
    found = np.zeros(len(pixels), bool)
    columns, rows = pixels[inside].astype(int).T
    found[inside] = camera[inside, 2] - depth[rows, columns] < np.array(thick)[inside]
    return found


@dataclass(frozen=True)
class Truth:
    """All that is known of one person before one camera: x right, y down, z ahead of the camera, in metres.

    Hands are left, then right: the person's own. NaN where a landmark is behind the camera or the body has none.
    """

    body_camera: Array
    """(frames, 33, 3) in metres."""
    body_pixels: Array
    """(frames, 33, 2) in pixels from the picture's top left corner; may lie outside."""
    body_seen: NDArray[np.bool_]
    """(frames, 33) in the picture, with nothing before it but its own flesh."""
    hands_camera: Array
    """(frames, 2, 21, 3)."""
    hands_pixels: Array
    """(frames, 2, 21, 2)."""
    hands_seen: NDArray[np.bool_]
    """(frames, 2, 21)."""
    wrist_rotation: Array
    """(frames, 2, 3, 3) the palm's axes as columns, as `pose.geometry.wrist.palm_axes` has them."""
    grip: Array
    """(frames, 2) as `pose.geometry.wrist.grip` has it."""
    intrinsics: Array
    """(4,) fx fy cx cy in pixels."""
    timestamps: Array
    """(frames,) in seconds."""
    camera_position: Array
    """(frames, 3) in the world, in metres."""
    camera_rotation: Array
    """(frames, 3, 3) from the world to the camera."""

    def __len__(self) -> int:
        return len(self.timestamps)

    def save(self, path: Path) -> None:
        """Write all arrays into an `.npz` file."""
        np.savez_compressed(path, **{one.name: getattr(self, one.name) for one in fields(self)})


def load_truth(path: Path) -> Truth:
    """Read what `Truth.save` wrote.

    Args:
        path: the `.npz` file.

    Returns:
        The truth.
    """
    with np.load(path) as arrays:
        return Truth(**{one.name: arrays[one.name] for one in fields(Truth)})


def truth_of(world: Array, visible: NDArray[np.bool_], lenses: Sequence[Lens], times: Array) -> Truth:
    """What is known of one person before one camera.

    Args:
        world: (frames, 75, 3) landmarks in the world in metres.
        visible: (frames, 75).
        lenses: the camera in each frame.
        times: (frames,) in seconds.

    Returns:
        The truth.
    """
    camera = np.stack([lens.to_camera(points) for lens, points in zip(lenses, world, strict=True)])
    pixels = np.stack([lens.to_pixels(points) for lens, points in zip(lenses, camera, strict=True)])
    frames, body = len(camera), len(BODY_LANDMARKS)
    hands = camera[:, body:].reshape(frames, 2, -1, 3)
    return Truth(
        body_camera=camera[:, :body],
        body_pixels=pixels[:, :body],
        body_seen=visible[:, :body],
        hands_camera=hands,
        hands_pixels=pixels[:, body:].reshape(frames, 2, -1, 2),
        hands_seen=visible[:, body:].reshape(frames, 2, -1),
        wrist_rotation=np.stack([palm_axes(hands[:, side], side) for side in (0, 1)], axis=1),
        grip=grip(hands).astype(np.float64),
        intrinsics=np.array([lenses[0].focal, lenses[0].focal, *lenses[0].centre]),
        timestamps=times,
        camera_position=np.stack([lens.position for lens in lenses]),
        camera_rotation=np.stack([lens.rotation for lens in lenses]),
    )
