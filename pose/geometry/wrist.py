"""What robots train on: the 6-DoF pose of each wrist in the camera's frame, and how far the grip is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra
from pose.geometry.intrinsics import undistorted
from pose.landmarks import INDEX_TIP, KNUCKLES, MIDDLE_FINGER, THUMB_TIP, WRIST

LARGEST_REPROJECTION = 0.1
"""A pose is refused if its landmarks miss theirs in the picture by more than this share of the hand (RMS)."""

BLOCK_FRAMES = 4096
"""Frames whose poses are found at a time, so that hours need little memory beside their tracks."""


def wrist_pose(
    world: NDArray[np.floating[Any]],
    image: NDArray[np.floating[Any]],
    side: int,
    size: tuple[int, int],
    intrinsics: Mapping[str, Any],
) -> NDArray[np.float32]:
    """Where one hand is, and how it is turned, over time.

    Perspective-n-Point between the model hand in metres and its landmarks in the picture gives the hand's place in
    front of the camera: depth is as true as the model's hand size and the focal length are (`scale` "relative").

    The axes of the palm are those of EgoVerse (GaTech-RL2/EgoVerse, `aria_utils.py`): x from the wrist towards the
    fingers (here: the mean of the four knuckles), z out of the palm, y = z cross x. Both hands have the same rule,
    so that with palms down and fingers ahead x is forward and z is down for either.

    Args:
        world: (frames, 21, 3) hand landmarks in metres of a model hand; NaN where there is no hand.
        image: (frames, 21, 2 or more) the same in the picture, in image widths and heights.
        side: 0 for a left hand, 1 for a right one.
        size: width and height of the picture in pixels.
        intrinsics: `fx`, `fy`, `cx`, `cy` in pixels and, if the camera has any, its `distortion`.

    Returns:
        float32 (frames, 7): x y z of the wrist in metres in the camera's frame (x right, y down, z forward) and the
        palm's rotation as a unit quaternion w x y z, whose sign is kept from frame to frame. NaN where there is no
        hand, where it came out behind the camera, or where the landmarks do not fit.
    """
    poses = np.full((len(world), 7), np.nan, np.float32)
    for first in range(0, len(world), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        poses[block] = _wrist_poses(world[block], image[block, :, :2], side, size, intrinsics)
    solved = np.isfinite(poses[:, 3])
    poses[solved, 3:] = continuous(poses[solved, 3:].astype(np.float64))
    return poses


def _wrist_poses(
    world: NDArray[np.floating[Any]],
    image: NDArray[np.floating[Any]],
    side: int,
    size: tuple[int, int],
    intrinsics: Mapping[str, Any],
) -> NDArray[np.float64]:
    """The poses of a few frames; a quaternion may have either sign."""
    poses = np.full((len(world), 7), np.nan)
    found = np.flatnonzero(np.isfinite(world).all(axis=(1, 2)) & np.isfinite(image).all(axis=(1, 2)))
    pixels = undistorted(image.astype(np.float64) * np.array(size, np.float64), intrinsics)
    rotations = np.empty((len(found), 3, 3))
    solved = np.zeros(len(found), bool)
    for row, frame in enumerate(found):
        transform = _locate(world[frame].astype(np.float64), pixels[frame], intrinsics)
        if transform is not None:
            rotation, translation = transform
            rotations[row], solved[row] = rotation, True
            poses[frame, :3] = rotation @ world[frame, WRIST] + translation
    frames = found[solved]
    turned = rotations[solved] @ palm_axes(world[frames].astype(np.float64), side)
    poses[frames, 3:] = quaternions(turned)
    return poses


def grip(world: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """How far thumb and index finger are apart.

    Args:
        world: (..., 21, 3) hand landmarks; NaN where there is no hand.

    Returns:
        float32 (...): distance of the two tips over the length of the hand, which is the length of the chain from the
        wrist along the middle finger to its tip and so does not change as the fingers bend. 0 (closed) to 1.
    """
    chain = world[..., list(MIDDLE_FINGER), :]
    length = np.linalg.norm(np.diff(chain, axis=-2), axis=-1).sum(axis=-1)
    distance = np.linalg.norm(world[..., THUMB_TIP, :] - world[..., INDEX_TIP, :], axis=-1)
    return np.asarray(np.clip(distance / length, 0, 1), np.float32)


def palm_axes(world: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(frames, 3, 3) rotations whose columns are the palm's x, y and z axes, see `wrist_pose`."""
    index, little = world[:, KNUCKLES[0]] - world[:, WRIST], world[:, KNUCKLES[-1]] - world[:, WRIST]
    forward = world[:, list(KNUCKLES)].mean(axis=1) - world[:, WRIST]
    out_of_palm = np.cross(index, little) if side == 1 else np.cross(little, index)
    x = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    y = np.cross(out_of_palm, x)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.asarray(np.cross(x, y), np.float64)], axis=-1)


def quaternions(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, 4) unit quaternions w x y z of (frames, 3, 3) rotation matrices.

    The largest of the four is found first and the others from it (Shepperd 1978), so that none divides by little.
    """
    m = rotations
    trace = np.trace(m, axis1=1, axis2=2)
    squares = np.column_stack([trace, m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]])
    squares[:, 1:] = 2 * squares[:, 1:] - trace[:, None]
    squares = np.maximum(squares + 1, 0)  # four times the square of each component
    differences = [m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]]
    sums = [m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]]
    w, x, y, z = squares.T
    products = np.array(  # row i: four times component i times each component
        [
            [w, *differences],
            [differences[0], x, sums[0], sums[1]],
            [differences[1], sums[0], y, sums[2]],
            [differences[2], sums[1], sums[2], z],
        ]
    )
    chosen = products[squares.argmax(axis=1), :, np.arange(len(m))]
    return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True), np.float64)


def continuous(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same rotations with signs such that no quaternion jumps to its negative; the first has w >= 0."""
    if len(rotations) == 0:
        return rotations
    flips = np.where((rotations[1:] * rotations[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    first = -1.0 if rotations[0, 0] < 0 else 1.0
    signs: NDArray[np.float64] = np.cumprod(np.concatenate([[first], flips]))
    return rotations * signs[:, None]


def _locate(
    world: NDArray[np.float64], pixels: NDArray[np.float64], intrinsics: Mapping[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Rotation and translation that carry a model hand (21, 3) to where the picture (21, 2) shows it."""
    with needs_extra("pose"):
        import cv2

    focal = np.array([intrinsics["fx"], intrinsics["fy"]], np.float64)
    centre = np.array([intrinsics["cx"], intrinsics["cy"]], np.float64)
    camera = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
    # World landmarks are already turned as the camera sees them: no rotation, and the depth at which sizes agree, is
    # a start so near the solution that the mirrored one, which PnP may fall into for a flat hand, is never met.
    rays = (pixels - centre) / focal
    extent = np.linalg.norm(rays.std(axis=0))
    if extent < 1e-6:
        return None
    depth = np.linalg.norm(world[:, :2].std(axis=0)) / extent
    start = np.append(rays.mean(axis=0) * depth, depth) - world.mean(axis=0)
    solved, rotation_vector, translation = cv2.solvePnP(
        world, pixels, camera, None, np.zeros((3, 1)), start.reshape(3, 1), True, cv2.SOLVEPNP_ITERATIVE
    )
    if not solved or not (np.isfinite(rotation_vector).all() and np.isfinite(translation).all()):
        return None
    rotation: NDArray[np.float64] = cv2.Rodrigues(rotation_vector)[0].astype(np.float64)
    placed = world @ rotation.T + translation.ravel()
    if placed[:, 2].min() <= 0:
        return None
    missed = placed[:, :2] / placed[:, 2:] * focal + centre - pixels
    hand_size = np.ptp(pixels, axis=0).max()
    if np.sqrt((missed**2).sum(axis=1).mean()) > LARGEST_REPROJECTION * hand_size:
        return None
    return rotation, np.asarray(translation, np.float64).ravel()
