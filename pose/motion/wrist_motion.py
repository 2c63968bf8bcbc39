"""What robots train on: where each wrist is, how it is turned, how fast it moves, and how far its grip is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS
from kinesphere.transforms.quaternions import rotation_matrix
from pose.geometry.intrinsics import undistorted
from pose.geometry.wrist import grip, palm_axes
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS, WRIST
from pose.motion.bias_smoother import LastingError, Smoothed, Sources, smooth_sources
from pose.motion.error_model import ErrorModel
from pose.motion.one_size import HandShape, even_limbs, hand_shape, of_one_shape
from pose.motion.placement import Placement, place, rays_of
from pose.motion.steady_turn import Turns, steady_turns
from pose.motion.wrist_depth import Sizes, liveliness, owns_the_hands, wrist_depth, wrist_sizes
from pose.tracking.filtering import LEAST_VISIBLE

Floats = NDArray[np.float64]

LANDMARK_ERROR = 0.03
"""Deviation of a hand's landmarks in the picture, in lengths of the hand, and of a body's, in sizes of its trunk."""
HAND_TURN, BODY_TURN = 0.12, 0.15
"""Radians by which the networks' hands and bodies are turned wrongly, beside what steadies over time."""
RAY_ERROR = 0.06
"""Deviation of the wrist's ray by its hand in one frame, in lengths of the hand: more than it is, since the errors of
neighbouring frames are alike."""
WRIST_ERROR, WRIST_BIAS = 0.03, 0.08
"""Deviation of the wrist's ray by the body, in sizes of the trunk, in one frame and for a second."""
ACCELERATION = 2.4
"""m^2/s^3, spectral density of a wrist's acceleration across the picture: 4 m/s^2 that last 0.15 s."""
BODY_PLACED_BY = (
    *(
        BODY_LANDMARKS.index(f"{side}_{name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in HANDS
    ),
    *(BODY_LANDMARKS.index(name) for name in ("nose", "left_ear", "right_ear")),
)
"""Landmarks that say where the body is."""
EDGE = 0.02
"""Image widths and heights by which a landmark may lie outside of the picture."""
_BLOCK_FRAMES = 4096


@dataclass(frozen=True)
class _Sightings:
    """What each frame says by itself; NaN where there is no hand or no body. Left, then right."""

    wrists: Floats
    """(frames, 2, 2): rays of the wrists, by the hands."""
    length: Floats
    """(frames, 2): of the hands, in units of rays."""
    sizes: Sizes
    turns: Floats
    """(frames, 2, 3, 3): the palms' axes in the camera's frame."""
    body_wrists: Floats
    """(frames, 2, 2): rays of the wrists, by the body."""
    trunk: Floats
    """(frames,): the body's size, in units of rays."""
    body_turn: Floats
    """(frames, 3, 3): from the network's axes to the camera's."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(frames, 2): where a hand has a place."""
        return np.asarray(np.isfinite(self.turns[..., 0, 0]), np.bool_)


def wrist_motion(
    arrays: Mapping[str, NDArray[Any]], size: tuple[int, int], intrinsics: Mapping[str, Any]
) -> NDArray[np.bool_]:
    """Find the wrists' motion from the smoothed landmarks of a whole recording, and fill its arrays in place.

    Hands and body get one size each for the recording (`hands_world`, `body_world`). Each is placed before the
    camera; a wrist lies on the ray that the picture shows, at a distance that hand and body tell together. Turn and
    grip are the hand's. Speeds come out of the same smoothers, which know how far to trust a frame.

    Where there is no hand, all that is filled is NaN. `wrist_pose` has the axes that `pose.geometry.wrist` describes.

    Args:
        arrays: `timestamp`, landmarks, visibilities and scores of a trajectory are read; `wrist_pose`,
            `wrist_velocity`, `grip` and their `_sd` are filled.
        size: width and height of the picture in pixels.
        intrinsics: `fx`, `fy`, `cx`, `cy` in pixels and, if the camera has any, its `distortion`, and `fx_sd`.

    Returns:
        (frames,): whether the body can be the owner of the hands, as far as hands are seen.
    """
    times = arrays["timestamp"] / 1e9
    even_limbs(arrays["body_world"], arrays["body_visibility"])
    shape = hand_shape(arrays["hands_world"])
    if shape is not None:
        _give_one_shape(arrays["hands_world"], shape)
    seen = _sightings(arrays, size, intrinsics)
    errors = ErrorModel(seen.sizes.hand_pixels)
    distance = np.array(
        [_usual(seen.sizes.by_body[:, side], seen.sizes.by_hand[:, side]) for side in range(len(HANDS))]
    )
    rays = _steady_rays(times, seen, arrays["body_visibility"], distance)
    lively = liveliness(times, rays.rate.reshape(-1, len(HANDS), 2), seen.found, distance)
    is_owner = owns_the_hands(times, seen.sizes)
    depth = wrist_depth(times, seen.sizes, arrays["body_image"], arrays["body_visibility"], is_owner, lively)
    _fill_places(arrays, seen, rays, depth, float(intrinsics.get("fx_sd", 0.0)) / float(intrinsics["fx"]))
    for side in range(len(HANDS)):
        turns = steady_turns(times, seen.turns[:, side], errors.passing_turn[:, side] ** 2)
        _fill_turns(arrays, side, turns, errors.lasting_turn[:, side])
        _turn_hands(arrays["hands_world"][:, side], side, turns.quaternion)
    _turn(arrays["body_world"], seen.body_turn)
    arrays["grip"][...] = grip(arrays["hands_world"])
    arrays["grip_sd"][...] = np.where(np.isfinite(arrays["grip"]), errors.grip, np.nan)
    return is_owner


def _give_one_shape(world: NDArray[np.float32], shape: HandShape) -> None:
    for first in range(0, len(world), _BLOCK_FRAMES):
        block = slice(first, first + _BLOCK_FRAMES)
        for side in range(len(HANDS)):
            world[block, side] = of_one_shape(world[block, side], side, shape)


def _turn_hands(world: NDArray[np.float32], side: int, quaternions: Floats) -> None:
    """Turn hands, in place, about their middles so that their palms have the turn that was found."""
    rotation = rotation_matrix(quaternions) @ palm_axes(world.astype(np.float64), side).swapaxes(1, 2)
    middle = world.mean(axis=1, keepdims=True)
    world -= middle
    _turn(world, rotation)
    world += middle


def _turn(world: NDArray[np.float32], rotation: Floats) -> None:
    """Turn landmarks (frames, n, 3) in place, where there is a rotation (frames, 3, 3)."""
    there = np.isfinite(rotation).all(axis=(1, 2))
    world[there] = (world[there] @ rotation[there].swapaxes(1, 2)).astype(np.float32)


def _sightings(arrays: Mapping[str, NDArray[Any]], size: tuple[int, int], intrinsics: Mapping[str, Any]) -> _Sightings:
    """Block by block: what is needed on the way takes ten times the memory of the result."""
    names = ("body_image", "body_world", "body_visibility", "hands_image", "hands_world")
    blocks = [
        _sightings_of({name: arrays[name][first : first + _BLOCK_FRAMES] for name in names}, size, intrinsics)
        for first in range(0, len(arrays["timestamp"]), _BLOCK_FRAMES)
    ]
    sizes = Sizes(*(_joined([block.sizes for block in blocks], field.name) for field in fields(Sizes)))
    whole = {field.name: _joined(blocks, field.name) for field in fields(_Sightings) if field.name != "sizes"}
    return _Sightings(sizes=sizes, **whole)


def _joined(blocks: Sequence[Any], name: str) -> Floats:
    return np.concatenate([getattr(block, name) for block in blocks])


def _sightings_of(
    arrays: Mapping[str, NDArray[Any]], size: tuple[int, int], intrinsics: Mapping[str, Any]
) -> _Sightings:
    rays = _rays(arrays["hands_image"], size, intrinsics)
    body_rays = _rays(arrays["body_image"], size, intrinsics)
    length, trunk = _extent(rays), _extent(body_rays[:, [*BODY_SHOULDERS, *BODY_HIPS]])
    hands, turns = [], []
    for side in range(len(HANDS)):
        world = arrays["hands_world"][:, side].astype(np.float64)
        world -= world[:, WRIST : WRIST + 1].copy()
        deviations = np.repeat(LANDMARK_ERROR * length[:, side, None], len(HAND_LANDMARKS), axis=1)
        hands.append(place(world, rays[:, side], deviations, HAND_TURN))
        turns.append(hands[-1].rotation @ palm_axes(world, side))
    body = _placed_body(arrays, body_rays, trunk)
    in_camera = body.of(arrays["body_world"][:, list(BODY_WRISTS)].astype(np.float64))
    return _Sightings(
        wrists=rays[:, :, WRIST],
        length=length,
        sizes=wrist_sizes((hands[0], hands[1]), in_camera, body, length * float(intrinsics["fx"])),
        turns=np.stack(turns, axis=1),
        body_wrists=body_rays[:, list(BODY_WRISTS)],
        trunk=trunk,
        body_turn=body.rotation,
    )


def _placed_body(arrays: Mapping[str, NDArray[Any]], rays: Floats, trunk: Floats) -> Placement:
    joints = list(BODY_PLACED_BY)
    visibility = np.clip(arrays["body_visibility"][:, joints], LEAST_VISIBLE, 1)
    # what lies outside of the picture is a guess
    image = arrays["body_image"][:, joints, :2]
    inside = ((image > -EDGE) & (image < 1 + EDGE)).all(axis=2)
    deviations = np.where(inside, LANDMARK_ERROR * trunk[:, None] / visibility, np.inf)
    return place(arrays["body_world"][:, joints].astype(np.float64), rays[:, joints], deviations, BODY_TURN)


def _rays(image: NDArray[np.float32], size: tuple[int, int], intrinsics: Mapping[str, Any]) -> Floats:
    pixels = image[..., :2].astype(np.float64) * np.array(size, np.float64)
    return rays_of(undistorted(pixels, intrinsics), intrinsics)


def _extent(rays: Floats) -> Floats:
    """(...): the longer side of the box around rays (..., n, 2)."""
    return np.asarray(np.ptp(rays, axis=-2).max(axis=-1), np.float64)


def _usual(*distances: Floats) -> float:
    """The median of the first that says anything; else a metre."""
    said = [one[np.isfinite(one)] for one in distances]
    return next((float(np.median(one)) for one in said if len(one)), 1.0)


def _steady_rays(times: Floats, seen: _Sightings, visibility: NDArray[np.float32], distance: Floats) -> Smoothed:
    """The wrists' rays: (frames, 4), x and y of the left wrist, then of the right."""
    frames = len(times)
    samples = np.stack([seen.wrists, seen.body_wrists], axis=3).reshape(frames, 4, 2)
    visible = np.clip(visibility[:, list(BODY_WRISTS)], LEAST_VISIBLE, 1)
    deviations = np.stack([RAY_ERROR * seen.length, WRIST_ERROR * seen.trunk[:, None] / visible], axis=2)
    variances = np.repeat(deviations**2, 2, axis=1)
    lasting = [LastingError(1, WRIST_BIAS * _usual(seen.trunk), 1.0)]
    acceleration = np.broadcast_to(np.repeat(ACCELERATION / distance**2, 2), (frames, 4))
    return smooth_sources(Sources(times, samples, variances, acceleration, lasting))


def _fill_places(
    arrays: Mapping[str, NDArray[Any]], seen: _Sightings, rays: Smoothed, depth: Smoothed, focal_sd: float
) -> None:
    """Places, speeds and their deviations: (ray, 1) times distance, by the rules of products.

    A focal length that is wrong by a share makes distances wrong by as much, and nothing across the picture.
    """
    ray, speed, ray_variance, speed_variance = (
        values.reshape(-1, len(HANDS), 2) for values in (rays.value, rays.rate, rays.variance, rays.rate_variance)
    )
    z = np.exp(depth.value)[..., None]
    rate, variance, rate_variance = (values[..., None] for values in (depth.rate, depth.variance, depth.rate_variance))
    one, nothing = np.ones_like(z), np.zeros_like(z)
    ahead, across = np.concatenate([ray, one], axis=2), np.concatenate([speed, nothing], axis=2)
    ray_noise, speed_noise = (np.concatenate([part, nothing], axis=2) for part in (ray_variance, speed_variance))
    bias = np.concatenate([np.repeat((ErrorModel.RAY_BIAS * seen.length[..., None]) ** 2, 2, axis=2), nothing], axis=2)
    place_sd = z * np.sqrt(ray_noise + bias + ahead**2 * variance)
    speed_sd = z * np.sqrt(speed_noise + across**2 * variance + ahead**2 * rate_variance + rate**2 * ray_noise)
    moves = z * (across + ahead * rate)
    place_sd = np.hypot(place_sd, ErrorModel.STATURE * z * ahead)
    speed_sd = np.hypot(speed_sd * ErrorModel.SPEED_FACTOR, ErrorModel.STATURE * moves)
    place_sd[..., 2:] = np.hypot(place_sd[..., 2:], z * focal_sd)
    speed_sd[..., 2:] = np.hypot(speed_sd[..., 2:], moves[..., 2:] * focal_sd)
    for name, values in (
        ("wrist_pose", z * ahead),
        ("wrist_velocity", moves),
        ("wrist_pose_sd", place_sd),
        ("wrist_velocity_sd", speed_sd),
    ):
        arrays[name][..., :3] = np.where(seen.found[..., None], values, np.nan)


def _fill_turns(arrays: Mapping[str, NDArray[Any]], side: int, turns: Turns, lasting: Floats) -> None:
    arrays["wrist_pose"][:, side, 3:] = turns.quaternion
    arrays["wrist_velocity"][:, side, 3:] = turns.velocity
    arrays["wrist_pose_sd"][:, side, 3:] = np.sqrt(turns.variance + lasting**2)[:, None]
    arrays["wrist_velocity_sd"][:, side, 3:] = ErrorModel.TURNING_FACTOR * np.sqrt(turns.velocity_variance)[:, None]
