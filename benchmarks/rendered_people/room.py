"""The room: floor, walls, furniture, and things that stand in the way, all from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.mesh import Mesh, make_mesh
from benchmarks.rendered_people.scene import Room
from benchmarks.rendered_people.shaders import BLOTCHES, CHECKS, CLOTH, PLAIN, SPECKLED, STRIPES, TILES, WOOD

Array = NDArray[np.float64]
Corner = Sequence[float] | Array


SHELL_FACES = 6 * 12
"""The first faces of a room are floor, walls and ceiling: they throw no shadow."""


def box(low: Corner, high: Corner, colour: Array, pattern: int, turn: float = 0.0) -> Mesh:
    """A box between two corners, turned about the vertical through its middle."""
    ends = np.array([low, high], np.float64)
    corners: list[Array] = []
    normals: list[Array] = []
    faces: list[tuple[int, int, int]] = []
    for axis in range(3):
        for end in (0, 1):
            normal = np.zeros(3)
            normal[axis] = 1 if end else -1
            u, v = (axis + 1) % 3, (axis + 2) % 3
            first = len(corners)
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                corner = np.empty(3)
                corner[axis] = ends[end, axis]
                corner[u], corner[v] = ends[a, u], ends[b, v]
                corners.append(corner)
                normals.append(normal)
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    points, middle = np.array(corners), ends.mean(axis=0)
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    places = (points - middle) @ rotation.T + middle
    colours, kinds = np.broadcast_to(colour, places.shape), np.full(len(places), pattern)
    return make_mesh(places, np.array(normals) @ rotation.T, colours, places, kinds, np.array(faces))


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
    walls = int(generator.choice([PLAIN, CLOTH, CLOTH, BLOTCHES, STRIPES, CHECKS]))
    found = box([-6, -8, -0.05], [6, back, 0], floor, int(generator.choice([WOOD, TILES, CLOTH])))
    found += box([-6, back, 0], [6, back + 0.05, 3.2], wall, walls)
    found += box([-3.6, -8, 0], [-3.5, back, 3.2], wall * 0.95, walls)
    found += box([3.5, -8, 0], [3.6, back, 3.2], wall * 0.95, walls)
    found += box([-6, -8.1, 0], [6, -8, 3.2], wall, walls)
    found += box([-6, -8, 3.2], [6, back, 3.25], np.full(3, 0.92), PLAIN)
    for _ in range(int(generator.integers(2, 7))):
        found += _at_the_wall(generator, back)
    if room.desk:
        found += _desk(generator, desk_height, desk_edge)
    return found


def _at_the_wall(generator: np.random.Generator, back: float) -> Mesh:
    """A picture, or a piece of furniture."""
    width, tall = generator.uniform(0.25, 1.2), generator.uniform(0.3, 1.9)
    x = generator.uniform(-3.2, 3.2)
    colour = _colour(generator, 0.1, 0.85, 0.7)
    if generator.random() < 0.5:
        low = generator.uniform(1.0, 1.7)
        corner = (x + width * 0.7, back - 0.01, low + tall * 0.4)
        kind = int(generator.choice([STRIPES, CHECKS, BLOTCHES, CLOTH]))
        return box((x, back - 0.03, low), corner, colour, kind)
    deep = generator.uniform(0.25, 0.5)
    kind = int(generator.choice([PLAIN, WOOD, CLOTH]))
    return box((x, back - deep, 0), (x + width, back - 0.02, tall), colour, kind)


def _desk(generator: np.random.Generator, height: float, edge: float) -> Mesh:
    """A desk and what lies on it."""
    colour = _colour(generator, 0.3, 0.8, 0.35)
    far = edge - float(generator.uniform(0.6, 0.8))
    found = box((-0.8, far, height - 0.03), (0.8, edge, height), colour, WOOD)
    for x in (-0.77, 0.72):
        for y in (far + 0.03, edge - 0.08):
            found += box((x, y, 0), (x + 0.05, y + 0.05, height - 0.03), colour * 0.6, PLAIN)
    for _ in range(int(generator.integers(2, 6))):
        x, y = generator.uniform(-0.7, 0.7), generator.uniform(far + 0.05, edge - 0.3)
        size = generator.uniform((0.03, 0.03, 0.01), (0.13, 0.16, 0.14))
        low = np.array([x, y, height])
        thing = _colour(generator, 0.1, 0.9, 0.9)
        kind = int(generator.choice([PLAIN, STRIPES, CHECKS, SPECKLED]))
        found += box(low, low + size, thing, kind, generator.uniform(0, 3))
    return found


def thing_in_the_way(room: Room, camera: Array, hands: Array) -> Mesh:
    """A thing between a camera and one of the hands, which hides it part of the time.

    Args:
        room: its seed.
        camera: (3,) where the camera is.
        hands: (frames, 42, 3) landmarks of the left and then the right hand, in the world.

    Returns:
        A box.
    """
    generator = np.random.default_rng([room.seed, 23])
    side = int(generator.integers(2))
    place = np.median(hands[:, 21 * side], axis=0)
    middle = place + (camera - place) * float(generator.uniform(0.3, 0.45))
    size = generator.uniform((0.05, 0.05, 0.08), (0.14, 0.1, 0.2))
    kind = int(generator.choice([PLAIN, STRIPES, SPECKLED, WOOD]))
    return box(middle - size / 2, middle + size / 2, generator.uniform(0.1, 0.9, 3), kind, generator.uniform(0, 3))


def _colour(generator: np.random.Generator, darkest: float, brightest: float, colourful: float) -> Array:
    grey = generator.uniform(darkest, brightest)
    return np.asarray(np.clip(grey + generator.uniform(-0.5, 0.5, 3) * colourful * 0.6, 0.03, 0.97))
