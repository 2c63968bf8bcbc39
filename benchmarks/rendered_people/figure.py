"""What a person looks like: skin, hair and clothes as colours of the body's surface, which they also thicken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape
from benchmarks.rendered_people.limbs import SIDES
from benchmarks.rendered_people.mesh import Mesh, make_mesh
from benchmarks.rendered_people.scene import Actor
from benchmarks.rendered_people.shaders import CLOTH, HAIR, PLAIN, SKIN
from benchmarks.rendered_people.skeleton import skin

Array = NDArray[np.float64]
Put = Callable[[NDArray[np.bool_], Sequence[float] | Array, float, int], None]
"""Gives some vertices a colour, a thickness in metres and a pattern."""
SLEEVE_ENDS = {"none": 0.12, "short": 0.62}
"""Where sleeves end, as a share of the upper arm."""
WAIST = 0.005
"""Where a shirt ends, above the middle of the pelvis, as a share of the body's height."""


@dataclass(frozen=True)
class Figure:
    """A dressed body at rest, ready to be moved."""

    shape: BodyShape
    points: Array
    """(vertices, 3) at rest, with what is worn."""
    normals: Array
    colours: Array
    pattern: Array

    def at(self, turns: Array, heads: Array) -> Mesh:
        """The figure in the pose of one frame."""
        places = skin(self.shape, self.points, self.shape.weights, turns, heads)
        blended = (self.shape.weights @ turns.reshape(-1, 9)).reshape(-1, 3, 3)
        normals = np.einsum("pij,pj->pi", blended, self.normals)
        return make_mesh(places, normals, self.colours, self.points, self.pattern, self.shape.faces)


def dress(shape: BodyShape, actor: Actor, seed: int) -> Figure:
    """Put skin, hair and clothes on a body.

    Args:
        shape: the body.
        actor: whose looks.
        seed: of folds and freckles.

    Returns:
        The figure.
    """
    count = len(shape.vertices)
    generator = np.random.default_rng([seed, 77])
    normals = vertex_normals(shape.vertices, shape.faces)
    colours, pattern = np.empty((count, 3)), np.full(count, SKIN)
    thickness = np.zeros(count)
    colours[:] = actor.person.skin
    owner = np.array(shape.bones)[shape.weights.argmax(axis=1)]
    clothes = actor.clothes

    def put(where: NDArray[np.bool_], colour: Sequence[float] | Array, thick: float, kind: int) -> None:
        colours[where], thickness[where], pattern[where] = colour, thick, kind

    trunk = _named(owner, "spine", "clavicle", "shoulder01", "pelvis", "root", "upperleg01")
    upper = trunk & (shape.vertices[:, 2] > WAIST * shape.height)
    lower = (trunk & ~upper) | _named(owner, "upperleg", "lowerleg")
    along, arms = _along_arms(shape, owner)
    put(lower, clothes.trousers, 0.010, CLOTH)
    put(_named(owner, "foot", "toe"), clothes.shoes, 0.006, PLAIN)
    sleeves = arms & (along < {**SLEEVE_ENDS, "long": 1.93}[clothes.sleeves])
    put((upper & ~arms) | sleeves, clothes.top, 0.012, clothes.pattern or CLOTH)
    if clothes.gloves is not None:
        put(_named(owner, "wrist", "finger", "metacarpal"), clothes.gloves, 0.0012, PLAIN)
    _draw_face(shape, actor, owner, put)
    folds = generator.normal(size=(6, 3)) * 18
    phases = generator.uniform(0, 2 * np.pi, 6)
    wrinkled = np.sin(shape.vertices @ folds.T + phases).mean(axis=1)
    thickness = thickness * (1 + np.where(pattern == HAIR, 0.25, 0.5) * wrinkled)
    points = shape.vertices + normals * thickness[:, None]
    return Figure(shape, points, vertex_normals(points, shape.faces), colours, pattern.astype(np.float64))


def vertex_normals(vertices: Array, faces: NDArray[np.int64]) -> Array:
    """(vertices, 3) of length 1, pointing outwards."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], normal)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12), np.float64)


def _named(owner: NDArray[np.str_], *beginnings: str) -> NDArray[np.bool_]:
    return np.asarray(np.any([np.char.startswith(owner, beginning) for beginning in beginnings], axis=0))


def _along_arms(shape: BodyShape, owner: NDArray[np.str_]) -> tuple[Array, NDArray[np.bool_]]:
    """How far along its arm each vertex is (0 shoulder, 1 elbow, 2 wrist), and whether it is of an arm."""
    along, arms = np.zeros(len(owner)), _named(owner, "upperarm", "lowerarm")
    for letter in SIDES:
        ends = shape.heads[[shape.bone(f"{name}.{letter}") for name in ("upperarm01", "lowerarm01", "wrist")]]
        for part, name in enumerate(("upperarm", "lowerarm")):
            bone = ends[part + 1] - ends[part]
            own = _named(owner, name) & np.char.endswith(owner, letter)
            along[own] = part + np.clip((shape.vertices[own] - ends[part]) @ bone / (bone @ bone), 0, 1)
    return along, arms


def _draw_face(shape: BodyShape, actor: Actor, owner: NDArray[np.str_], put: Put) -> None:
    person, points = actor.person, shape.vertices
    head = _named(owner, "head", "neck03", "eye")
    eyes = [points[ball].mean(axis=0) for ball in shape.eyeballs]
    size = np.linalg.norm(eyes[0] - eyes[1]) / 0.062
    between = (eyes[0] + eyes[1]) / 2
    behind, above = (points[:, 1] - between[1]) / size, (points[:, 2] - between[2]) / size
    skin_colour = np.array(person.skin)
    lips = points[shape.lips]
    frontal = lips[:, 1].min()
    mouth = lips[lips[:, 1] < frontal + 0.02 * size]
    near_mouth = (
        head
        & (np.abs(points[:, 0]) < np.ptp(mouth[:, 0]) / 2)
        & (np.abs(points[:, 2] - mouth[:, 2].mean()) < 0.008 * size)
        & (points[:, 1] < frontal + 0.012 * size)
    )
    put(near_mouth, skin_colour * np.array([0.85, 0.55, 0.55]), 0.0, PLAIN)
    for eye in eyes:
        brow = head & (np.abs(points[:, 0] - eye[0]) < 0.02 * size) & (behind < 0.01)
        put(brow & (above > 0.015) & (above < 0.024), np.array(person.hair) * 0.7, 0.001, HAIR)
    if person.hair_length != "none":
        ears = [weights @ points for name, weights in shape.keypoints.items() if name.endswith("_ear")]
        near_ear = np.min([np.linalg.norm(points - ear, axis=1) for ear in ears], axis=0) < 0.035 * size
        down = 1.6 if person.hair_length == "long" else 0.9
        grown = head & (above > 0.075 - down * np.maximum(behind - 0.01, 0)) & ~near_ear
        grown &= above > (-0.14 if person.hair_length == "long" else -0.07)
        put(grown, person.hair, 0.028 if person.hair_length == "long" else 0.014, HAIR)
    for ball in shape.eyeballs:
        white = np.zeros(len(points), bool)
        white[ball] = True
        put(white, (0.93, 0.92, 0.9), 0.0, PLAIN)
        middle = points[ball].mean(axis=0)
        ahead = ball[np.linalg.norm((points[ball] - middle)[:, [0, 2]], axis=1) < 0.0062 * size]
        white[:] = False
        white[ahead] = True
        put(white, (0.12, 0.08, 0.05), 0.0, PLAIN)
