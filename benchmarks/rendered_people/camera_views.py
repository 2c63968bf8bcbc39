"""Where a camera is at a moment, and where it sees things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.performance import Performance
from benchmarks.rendered_people.scene import Camera

Array = NDArray[np.float64]
NEAR = 0.02
"""Metres before the camera at which pictures begin."""


@dataclass(frozen=True)
class Lens:
    """A camera at a moment."""

    rotation: Array
    """(3, 3) from the world to the camera: x right, y down, z ahead."""
    position: Array
    """(3,) in the world, in metres."""
    focal: float
    """In pixels."""
    centre: tuple[float, float]
    """Where the axis meets the picture, in pixels from its top left corner."""

    def to_camera(self, points: Array) -> Array:
        """(..., 3) points of the world in the camera's frame, in metres."""
        return np.asarray((points - self.position) @ self.rotation.T, np.float64)

    def to_pixels(self, camera: Array) -> Array:
        """(..., 2) where points of the camera's frame are in the picture; NaN behind the camera."""
        depth = np.where(camera[..., 2:] > NEAR, camera[..., 2:], np.nan)
        return np.asarray(camera[..., :2] / depth * self.focal + np.array(self.centre), np.float64)


def lens_of(camera: Camera, size: tuple[int, int], performances: Sequence[Performance], row: int) -> Lens:
    """A camera as it is at one moment: one that is worn goes with the head.

    Args:
        camera: the camera.
        size: width and height of its picture in pixels.
        performances: of all actors.
        row: of the moment.

    Returns:
        Its place and view.
    """
    position, target, up = np.array(camera.position), np.array(camera.target), np.array([0.0, 0.0, 1.0])
    if camera.worn_by is not None:
        worn = performances[camera.worn_by]
        head, shape = worn.shape.bone("head"), worn.shape
        eyes = np.mean([shape.vertices[ball].mean(axis=0) for ball in shape.eyeballs], axis=0)
        turn = worn.turns[row, head]
        origin = worn.heads[row, head] + turn @ (eyes - shape.heads[head])
        position, target, up = origin + turn @ position, origin + turn @ target, turn @ up
    z = target - position
    z /= np.linalg.norm(z)
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    cosine, sine = np.cos(camera.roll), np.sin(camera.roll)
    rotation = np.stack([cosine * x + sine * y, cosine * y - sine * x, z])
    scale = size[0] / 1280
    centre = size[0] / 2 + camera.principal[0] * scale, size[1] / 2 + camera.principal[1] * scale
    return Lens(rotation, position, camera.focal * scale, centre)
