"""The room: floor, walls, furniture, and things that stand in the way, all from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.rasterizer import Mesh
from benchmarks.rendered_people.scene import Room

Array = NDArray[np.float64]


SHELL_FACES = 6 * 12
"""The first faces of a room are floor, walls and ceiling: they throw no shadow."""


def box(low: Array, high: Array, colour: Array, pattern: int, turn: float = 0.0) -> Mesh:
    """A box between two corners, turned about the vertical through its middle."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    corners, normals, faces = [], [], []
    for axis in range(3):
        for end in (0, 1):
            normal = np.zeros(3)
            normal[axis] = 1 if end else -1
            u, v = (axis + 1) % 3, (axis + 2) % 3
            first = len(corners)
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                corner = np.empty(3)
                corner[axis] = high[axis] if end else low[axis]
                corner[u], corner[v] = (low[u], high[u])[a], (low[v], high[v])[b]
                corners.append(corner)
                normals.append(normal)
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    points, middle = np.array(corners), (low + high) / 2
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return _mesh((points - middle) @ rotation.T + middle, np.array(normals) @ rotation.T, colour, pattern, np.array(faces))


def _mesh(points: Array, normals: Array, colour: Array, pattern: int, faces: NDArray[np.int64]) -> Mesh:
    count = len(points)
    colours = np.broadcast_to(np.asarray(colour, float), (count, 3))
    parts = (points, normals, colours, points, np.full(count, pattern, float))
    return Mesh(*(part.astype(np.float32) for part in parts), faces.astype(np.int32))


def furnish(room: Room, desk_height: float, desk_edge: float) -> Mesh:
    """Everything in the room that does not move.

    Args:
        room: its seed, and whether there is a desk.
        desk_height: of the desk's top in metres.
        desk_edge: y of the edge of the desk that is nearest to the person.

    Returns:
        One mesh.
    """
    generator = np.random.default_rng([room.seed, 5])
    back = float(generator.uniform(1.2, 3.0))
    wall, floor = _colour(generator, 0.35, 0.9, 0.25), _colour(generator, 0.2, 0.6, 0.3)
    walls = int(generator.choice([0, 5, 5, 7, 1, 2]))
    found = box([-6, -8, -0.05], [6, back, 0], floor, int(generator.choice([4, 6, 5])))
    found += box([-6, back, 0], [6, back + 0.05, 3.2], wall, walls)
    found += box([-3.6, -8, 0], [-3.5, back, 3.2], wall * 0.95, walls)
    found += box([3.5, -8, 0], [3.6, back, 3.2], wall * 0.95, walls)
    found += box([-6, -8.1, 0], [6, -8, 3.2], wall, walls)
    found += box([-6, -8, 3.2], [6, back, 3.25], np.full(3, 0.92), 0)
    for _ in range(int(generator.integers(2, 7))):
        width, tall = generator.uniform(0.25, 1.2), generator.uniform(0.3, 1.9)
        x = generator.uniform(-3.2, 3.2)
        colour = _colour(generator, 0.1, 0.85, 0.7)
        if generator.random() < 0.5:  # a picture on the wall
            low = generator.uniform(1.0, 1.7)
            found += box([x, back - 0.03, low], [x + width * 0.7, back - 0.01, low + tall * 0.4], colour, int(generator.choice([1, 2, 7, 5])))
        else:
            deep = generator.uniform(0.25, 0.5)
            found += box([x, back - deep, 0], [x + width, back - 0.02, tall], colour, int(generator.choice([0, 4, 5])))
    if room.desk:
        top = _colour(generator, 0.3, 0.8, 0.35)
        far = desk_edge - float(generator.uniform(0.6, 0.8))
        found += box([-0.8, far, desk_height - 0.03], [0.8, desk_edge, desk_height], top, 4)
        for x in (-0.77, 0.72):
            for y in (far + 0.03, desk_edge - 0.08):
                found += box([x, y, 0], [x + 0.05, y + 0.05, desk_height - 0.03], top * 0.6, 0)
        for _ in range(int(generator.integers(2, 6))):
            x, y = generator.uniform(-0.7, 0.7), generator.uniform(far + 0.05, desk_edge - 0.3)
            size = generator.uniform((0.03, 0.03, 0.01), (0.13, 0.16, 0.14))
            low = np.array([x, y, desk_height])
            found += box(low, low + size, _colour(generator, 0.1, 0.9, 0.9), int(generator.choice([0, 1, 2, 3])), generator.uniform(0, 3))
    return found


def _colour(generator: np.random.Generator, darkest: float, brightest: float, colourful: float) -> Array:
    grey = generator.uniform(darkest, brightest)
    return np.asarray(np.clip(grey + generator.uniform(-0.5, 0.5, 3) * colourful * 0.6, 0.03, 0.97))
