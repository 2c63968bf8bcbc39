"""Bones in motion: every bone has a rotation of its own in the frame of the body at rest, and hangs on its parent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape

Array = NDArray[np.float64]


def rotation(axis: Array, angle: Array | float) -> Array:
    """(..., 3, 3) rotations by angles in radians about axes (..., 3), which need not be of length 1."""
    axis = np.asarray(axis, np.float64)
    axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.asarray(angle, np.float64)[..., None, None]
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*axis.shape[:-1], 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross), np.float64)


def frame(direction: Array, side: Array) -> Array:
    """(..., 3, 3) rotations whose first column is `direction`, and whose last is as near to `side` as can be."""
    x = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    y = np.cross(side, x)
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def place_bones(shape: BodyShape, turns: Array, root: Array) -> Array:
    """Where each bone begins.

    Args:
        shape: the body.
        turns: (frames, bones, 3, 3) rotation of each bone from its direction at rest.
        root: (frames, 3) where the middle of the pelvis is.

    Returns:
        (frames, bones, 3).
    """
    heads = np.empty((len(turns), len(shape.bones), 3))
    for bone, parent in enumerate(shape.parents):
        if parent < 0:
            heads[:, bone] = root
        else:
            offset = shape.heads[bone] - shape.heads[parent]
            heads[:, bone] = heads[:, parent] + turns[:, parent] @ offset
    return heads


def skin(shape: BodyShape, points: Array, weights: Array, turns: Array, heads: Array) -> Array:
    """Points of the skin as the bones carry them (linear blend skinning).

    Args:
        shape: the body.
        points: (points, 3) at rest.
        weights: (points, bones).
        turns: (bones, 3, 3) of one frame.
        heads: (bones, 3) of the same.

    Returns:
        (points, 3).
    """
    shift = heads - np.einsum("bij,bj->bi", turns, shape.heads)
    blended = weights @ np.concatenate([turns.reshape(-1, 9), shift], axis=1)
    return np.asarray(np.einsum("pij,pj->pi", blended[:, :9].reshape(-1, 3, 3), points) + blended[:, 9:], np.float64)
