"""Where a model of landmarks stands before the camera: turned and moved so that it covers its landmarks in the picture.

Many frames are solved at once, by Gauss and Newton's method on the rays through the landmarks, with heavy tails
(Student's t by reweighting: Lange, Little and Taylor, J. American Statistical Association 84(408), 1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ROUNDS = 12
"""Of Gauss and Newton's method, at most: from a start at the right size it needs four to six."""
SETTLED = 1e-3
"""Deviations; a round that moves less was the last."""
FREEDOM = 4.0
"""Degrees of freedom of Student's distribution: with four, a landmark six deviations off has a tenth of its say."""
LONGEST_TURN = 0.3
"""Radians that a round may turn a model by."""
CLOSEST = 0.05
"""Metres: nothing is nearer to the camera."""
FEWEST = 4
"""Landmarks that place a model."""
BLOCK_FRAMES = 2048
"""Frames that are solved at once: 50 megabytes."""


@dataclass(frozen=True)
class Placement:
    """A model placed in the frames of a video; NaN where it could not be."""

    rotation: Floats
    """(frames, 3, 3): from the model's axes to the camera's."""
    translation: Floats
    """(frames, 3): metres, of the model's origin in the camera's frame."""
    covariance: Floats
    """(frames, 6, 6): of the turn (radians about the camera's axes) and the translation, if the landmarks' errors are
    as given and independent of each other."""
    misfit: Floats
    """(frames,): robust root mean square of the landmarks' distances in the picture, in deviations."""

    def of(self, points: Floats) -> Floats:
        """Points of the model (frames, n, 3) in the camera's frame, metres."""
        return np.asarray(points @ self.rotation.swapaxes(1, 2) + self.translation[:, None], np.float64)


def rays_of(pixels: Floats, intrinsics: Mapping[str, Any]) -> Floats:
    """x / z and y / z in the camera's frame of undistorted points (..., 2) in pixels."""
    centre = np.array([intrinsics["cx"], intrinsics["cy"]], np.float64)
    return np.asarray((pixels - centre) / np.array([intrinsics["fx"], intrinsics["fy"]], np.float64), np.float64)


def turned_to(rays: Floats) -> Floats:
    """(frames, 3, 3): the smallest rotations that carry the camera's axis onto rays (frames, 2)."""
    axis = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    x, y, z = axis.T
    share = 1 / (1 + z)
    return np.stack(
        [
            np.stack([1 - x * x * share, -x * y * share, x], axis=1),
            np.stack([-x * y * share, 1 - y * y * share, y], axis=1),
            np.stack([-x, -y, z], axis=1),
        ],
        axis=1,
    )


def place(model: Floats, rays: Floats, deviations: Floats, turn_deviation: float) -> Placement:
    """Place a model in each frame.

    A network that sees a part cut out of the picture takes it for one before the camera: what it says of the turn is
    meant against the ray through the part's middle. The model is turned by that ray first, and from there by as much
    as the landmarks ask for against `turn_deviation`.

    Args:
        model: (frames, n, 3) landmarks in metres, in axes parallel to the camera's as the network sees them.
        rays: (frames, n, 2) of the same landmarks in the picture, as `rays_of` gives them; NaN where there is none.
        deviations: (frames, n) standard deviations of the rays; infinite for landmarks that have no say.
        turn_deviation: radians by which the network's turn is wrong about each axis.

    Returns:
        The placement; frames with fewer than four landmarks, or whose landmarks lie in one point, are NaN.
    """
    results = [np.full((len(model), *shape), np.nan) for shape in ((3, 3), (3,), (6, 6), ())]
    for first in range(0, len(model), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        usable = np.isfinite(model[block]).all(axis=2) & np.isfinite(rays[block]).all(axis=2)
        usable &= np.isfinite(deviations[block])
        rows = np.flatnonzero(usable.sum(axis=1) >= FEWEST)
        if len(rows) == 0:
            continue
        seen = usable[rows]
        precision = np.where(seen, 1 / np.where(seen, deviations[block][rows], 1.0) ** 2, 0.0)
        points = np.where(seen[..., None], model[block][rows], 0.0)
        placed = _placed(points, np.where(seen[..., None], rays[block][rows], 0.0), precision, turn_deviation)
        for result, values in zip(results, placed, strict=True):
            result[first + rows] = values
    return Placement(*results)


def _placed(points: Floats, rays: Floats, precision: Floats, turn_deviation: float) -> tuple[Floats, ...]:
    """The fields of a `Placement` of frames whose landmarks have this precision, 0 for those without a say."""
    rotation, translation, solved = _start(points, rays, precision)
    turn = np.zeros((len(points), 3))
    prior = np.array([turn_deviation**-2] * 3 + [1e-9] * 3)
    for _ in range(ROUNDS):
        turned = points @ rotation.swapaxes(1, 2)
        at = turned + translation[:, None]
        depth = np.maximum(at[..., 2], CLOSEST)
        missed = rays - at[..., :2] / depth[..., None]
        squares = precision * (missed**2).sum(axis=2)
        weight = precision * (FREEDOM + 2) / (FREEDOM + squares)
        jacobian = _jacobian(turned, at, depth)
        hessian = np.einsum("fn,fnai,fnaj->fij", weight, jacobian, jacobian, optimize=True) + np.diag(prior)
        gradient = np.einsum("fn,fnai,fna->fi", weight, jacobian, missed, optimize=True)
        gradient[:, :3] -= turn * prior[:3]
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        angle = np.linalg.norm(step[:, :3], axis=1, keepdims=True)
        step[:, :3] *= np.minimum(1, LONGEST_TURN / np.maximum(angle, 1e-12))
        rotation = _rotation(step[:, :3]) @ rotation
        turn += step[:, :3]
        translation = translation + step[:, 3:]
        translation[:, 2] = np.maximum(translation[:, 2], CLOSEST)
        if (np.einsum("fi,fij,fj->f", step, hessian, step) < SETTLED**2)[solved].all():
            break
    solved &= (points @ rotation.swapaxes(1, 2) + translation[:, None])[..., 2].min(axis=1) > CLOSEST
    covariance = np.linalg.inv(hessian)
    freedoms = np.maximum(2 * (precision > 0).sum(axis=1) - 6, 1)
    misfit = np.sqrt((weight * (missed**2).sum(axis=2)).sum(axis=1) / freedoms)
    for values in (rotation, translation, covariance, misfit):
        values[~solved] = np.nan
    return rotation, translation, covariance, misfit


def _start(points: Floats, rays: Floats, precision: Floats) -> tuple[Floats, Floats, Flags]:
    """Rotation and translation that show the model where it is seen and as large, and where there is such a place."""
    total = precision.sum(axis=1)
    ray = np.einsum("fn,fni->fi", precision, rays) / total[:, None]
    middle = np.einsum("fn,fni->fi", precision, points) / total[:, None]
    spread = np.einsum("fn,fni->f", precision, (rays - ray[:, None]) ** 2) / total
    size = np.einsum("fn,fni->f", precision, (points - middle[:, None])[..., :2] ** 2) / total
    solved = np.asarray((spread > 1e-12) & (size > 1e-12), np.bool_)
    depth = np.sqrt(np.where(solved, size, 1.0) / np.where(solved, spread, 1.0))
    rotation = turned_to(ray)
    translation = np.concatenate([ray, np.ones((len(ray), 1))], axis=1) * depth[:, None]
    return rotation, translation - np.einsum("fij,fj->fi", rotation, middle), solved


def _jacobian(placed: Floats, at: Floats, z: Floats) -> Floats:
    """(frames, n, 2, 6): how the rays of turned points move with a further turn about the camera's axes and a move."""
    jacobian = np.zeros((*at.shape[:2], 2, 6))
    x, y = at[..., 0] / z, at[..., 1] / z
    for axis, ray in enumerate((x, y)):
        jacobian[..., axis, 3 + axis] = 1 / z
        jacobian[..., axis, 5] = -ray / z
    a, b, c = placed[..., 0], placed[..., 1], placed[..., 2]
    # a small turn w moves a point p by w x p
    jacobian[..., 0, 0] = -x * b / z
    jacobian[..., 0, 1] = (c + x * a) / z
    jacobian[..., 0, 2] = -b / z
    jacobian[..., 1, 0] = (-c - y * b) / z
    jacobian[..., 1, 1] = y * a / z
    jacobian[..., 1, 2] = a / z
    return jacobian


def _rotation(turns: Floats) -> Floats:
    """(frames, 3, 3) rotations by rotation vectors (frames, 3), by Rodrigues' formula."""
    angles = np.linalg.norm(turns, axis=1)[:, None, None]
    x, y, z = turns.T
    zero = np.zeros(len(turns))
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    small = angles < 1e-6
    safe = np.where(small, 1.0, angles)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross, np.float64)
