"""Triangles with all that the rasterizer wants to know of their corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """Triangles to draw."""

    corners: NDArray[np.float32]
    """(corners, 13): place and normal in the world; colour; where its pattern is looked up; the pattern's kind."""
    faces: NDArray[np.int32]
    """(faces, 3) indices of corners, anticlockwise seen from outside."""

    def __add__(self, other: Mesh) -> Mesh:
        faces = np.concatenate([self.faces, other.faces + len(self.corners)])
        return Mesh(np.concatenate([self.corners, other.corners]), faces)


def make_mesh(
    places: Array, normals: Array, colours: NDArray[Any], rest: Array, kinds: NDArray[Any], faces: NDArray[Any]
) -> Mesh:
    """Put a mesh together.

    Args:
        places: (corners, 3) in the world in metres.
        normals: (corners, 3), of any length.
        colours: (corners, 3), 0 to 1.
        rest: (corners, 3) where patterns are looked up, so that they move with what moves.
        kinds: (corners,) patterns of `shaders.py`.
        faces: (faces, 3).

    Returns:
        The mesh.
    """
    corners = np.concatenate([places, normals, colours, rest, kinds[:, None]], axis=1)
    return Mesh(corners.astype(np.float32), faces.astype(np.int32))
