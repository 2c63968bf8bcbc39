"""One clip's numbers: how far what was found lies from the truth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.estimate import Estimate, rotation_vectors
from benchmarks.rendered_people.truth import Truth
from kinesphere.trajectory import BODY_LANDMARKS, HANDS
from kinesphere.transforms.quaternions import rotation_matrix
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, FINGERS, MIDDLE_FINGER, WRIST

Array = NDArray[np.float64]

SEEN_SHARE = 0.5
"""A hand is seen if so many of its landmarks are."""
JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
APART = 0.15
"""Left and right of a body can be told apart if they are so far apart in the picture, in lengths of the trunk."""
DRIFT_SECONDS = 1.0
WIDTH = 1280
"""Of the picture that pixels are counted of."""


def clip_errors(truth: Truth, found: Estimate, known: Estimate | None, width: int) -> dict[str, float]:
    """All measures of one clip.

    Args:
        truth: of the clip.
        found: with the focal length that the way takes by itself.
        known: with the true intrinsics, or None if that was not tried.
        width: of the picture in pixels.

    Returns:
        Values by the names of `measures.MEASURES`; NaN where there was nothing to measure.
    """
    seen = hands_seen(truth)
    errors = {**_wrists(truth, found, seen), **_turning(truth, found, seen), **_pictures(truth, found, seen, width)}
    if known is not None:
        errors |= {
            name.replace("wrist", "wrist_known"): value
            for name, value in _wrists(truth, known, seen).items()
            if name in ("wrist", "wrist_p90", "wrist_scaled", "wrist_scaled_p90")
        }
    return errors | {"cost": found.core_seconds * 1000}


def hands_seen(truth: Truth) -> NDArray[np.bool_]:
    """(frames, 2) which of the person's hands can be seen: at least half of the landmarks."""
    return np.asarray(truth.hands_seen.mean(axis=2) >= SEEN_SHARE)


def bodies_seen(truth: Truth) -> NDArray[np.bool_]:
    """(frames,) where there is a body to find: a shoulder is seen, and one more of shoulders and hips."""
    trunk = truth.body_seen[:, [*BODY_SHOULDERS, *BODY_HIPS]]
    return np.asarray(trunk[:, :2].any(axis=1) & (trunk.sum(axis=1) >= 2))


def wrist_errors(truth: Truth, found: Estimate, scale: float = 1.0) -> Array:
    """(frames, 2) metres between wrists found, times a scale, and true ones; NaN where none was found."""
    return np.asarray(np.linalg.norm(found.wrist_pose[..., :3] * scale - truth.hands_camera[:, :, WRIST], axis=-1))


def best_scale(found: Array, true: Array) -> float:
    """The one factor on positions that makes the median of their distances from the true ones least.

    The median, since places that are metres too far would otherwise decide.

    Args:
        found: (points, 3) from the camera.
        true: (points, 3).

    Returns:
        The factor, from 0.1 to 10; NaN without points.
    """
    if not len(found):
        return float("nan")
    tried = np.geomspace(0.1, 10, 801)
    for _ in range(3):
        distances = np.linalg.norm(found[None] * tried[:, None, None] - true, axis=-1)
        best = int(np.median(distances, axis=1).argmin())
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
        chosen, tried = float(tried[best]), np.linspace(low, high, 41)
    return chosen


def _wrists(truth: Truth, found: Estimate, seen: NDArray[np.bool_]) -> dict[str, float]:
    """Where wrists are: errors of hands that are seen, as they are and after the best scale."""
    errors = wrist_errors(truth, found)
    given = np.isfinite(errors)
    used = given & seen
    scale = best_scale(found.wrist_pose[..., :3][used], truth.hands_camera[:, :, WRIST][used])
    scaled = replace(found, wrist_pose=found.wrist_pose * np.array([*[scale] * 3, 1, 1, 1, 1]))
    at_scale = wrist_errors(truth, scaled)
    in_picture = np.isfinite(truth.hands_pixels[:, :, WRIST, 0])
    drift, jitter = _drift_and_jitter(truth, scaled, used)
    return {
        "wrist": _middle(errors[used]),
        "wrist_p90": _quantile(errors[used], 0.9),
        "wrist_scaled": _middle(at_scale[used]),
        "wrist_scaled_p90": _quantile(at_scale[used], 0.9),
        "wrist_hidden": _middle(errors[given & ~seen & in_picture]),
        "scale": scale,
        "wrists_given": _percent(given[seen]),
        "speed": _middle(np.linalg.norm(velocity_errors(truth, found)[..., :3], axis=-1)[seen]),
        "drift": drift,
        "jitter": jitter,
    }


def velocity_errors(truth: Truth, found: Estimate) -> Array:
    """(frames, 2, 6) velocity found minus true, m/s and rad/s in the camera's frame; NaN where there is none.

    The true one, and the found one where the way gives none, is the difference of the next and the last frame.
    """
    true = _velocity(truth.hands_camera[:, :, WRIST], truth.wrist_rotation, truth.timestamps)
    own = found.velocity
    if own is None:
        own = _velocity(found.wrist_pose[..., :3], rotation_matrix(found.wrist_pose[..., 3:]), truth.timestamps)
    return np.asarray(own - true, np.float64)


def _velocity(places: Array, turns: Array, times: Array) -> Array:
    velocity = np.full((*places.shape[:2], 6), np.nan)
    if len(places) > 2:
        seconds = (times[2:] - times[:-2])[:, None, None]
        velocity[1:-1, :, :3] = (places[2:] - places[:-2]) / seconds
        velocity[1:-1, :, 3:] = rotation_vectors(turns[2:] @ np.swapaxes(turns[:-2], -1, -2)) / seconds
    return velocity


def _drift_and_jitter(truth: Truth, found: Estimate, used: NDArray[np.bool_]) -> tuple[float, float]:
    """How far the error wanders in a second's mean from its middle, and how much it shakes from frame to frame.

    Jitter is what white noise would have as its standard deviation along each axis, from the second differences.
    """
    wandering, shaking = [], []
    window = max(round(DRIFT_SECONDS / float(np.median(np.diff(truth.timestamps)))), 1) if len(truth) > 1 else 1
    for side in range(len(HANDS)):
        error = found.wrist_pose[:, side, :3] - truth.hands_camera[:, side, WRIST]
        error = np.where(used[:, side, None], error, np.nan)
        second = np.diff(error, n=2, axis=0)
        shaking.append(second[np.isfinite(second)])
        if np.isfinite(error).all(axis=1).sum() >= window:
            off = error - np.nanmedian(error, axis=0)
            starts = range(0, len(error) - window + 1, max(window // 2, 1))
            means = [_mean(off[start : start + window]) for start in starts]
            wandering.append(np.linalg.norm(means, axis=1))
    jitter = _middle(np.abs(np.concatenate(shaking))) * 1.4826 / 6**0.5
    return _middle(np.concatenate(wandering)) if wandering else float("nan"), jitter


def _mean(rows: Array) -> Array:
    there = np.isfinite(rows).all(axis=1)
    return np.asarray(rows[there].mean(axis=0)) if there.mean() >= SEEN_SHARE else np.full(3, np.nan)


def _turning(truth: Truth, found: Estimate, seen: NDArray[np.bool_]) -> dict[str, float]:
    """How wrists are turned, how far the grip is open, how fingers are bent."""
    turned = rotation_matrix(found.wrist_pose[..., 3:]) @ np.swapaxes(truth.wrist_rotation, -1, -2)
    angles = np.degrees(np.linalg.norm(rotation_vectors(turned), axis=-1))
    bent = np.degrees(np.abs(joint_angles(found.hands_world) - joint_angles(truth.hands_camera)))
    return {
        "rotation": _middle(angles[seen]),
        "grip": _middle(np.abs(found.grip - truth.grip)[seen]),
        "fingers": _middle(bent[seen]),
    }


def joint_angles(hands: Array) -> Array:
    """(..., 15) radians by which fingers are bent at their three joints, thumb to little finger; 0 is straight."""
    angles = []
    for finger in range(len(FINGERS)):
        chain = [WRIST, *range(1 + 4 * finger, 5 + 4 * finger)]
        bones = np.diff(hands[..., chain, :], axis=-2)
        with np.errstate(invalid="ignore"):
            bones = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
        angles.append(np.arccos(np.clip((bones[..., 1:, :] * bones[..., :-1, :]).sum(axis=-1), -1, 1)))
    return np.concatenate(angles, axis=-1)


def _pictures(truth: Truth, found: Estimate, seen: NDArray[np.bool_], width: int) -> dict[str, float]:
    """Where landmarks are in the picture, which side they are of, and which hands are found."""
    to_1280 = WIDTH / width
    joints = [BODY_LANDMARKS.index(f"{hand}_{joint}") for joint in JOINTS for hand in HANDS]
    off = np.linalg.norm(found.body_pixels - truth.body_pixels, axis=-1)[:, joints]
    places = hand_places(truth, found)
    off_hands = np.linalg.norm(found.hands_pixels - truth.hands_pixels, axis=-1)
    told, swapped = _body_sides(truth, found)
    right = found.hand_found & places.is_near
    any_swapped, any_found = np.asarray(places.is_swapped.any(axis=1)), np.asarray(places.found.any(axis=1))
    return {
        "body": _middle(off[truth.body_seen[:, joints] & bodies_seen(truth)[:, None]]) * to_1280,
        "hand_points": _middle(off_hands[truth.hands_seen & places.is_near[..., None]]) * to_1280,
        "hand_swaps": _percent(any_swapped[any_found]),
        "body_swaps": _percent(swapped[told]),
        "hands_found": _percent(right[seen]),
        "hands_wrong": _percent((found.hand_found & ~places.is_near & ~places.is_swapped)[found.hand_found]),
    }


@dataclass(frozen=True)
class HandPlaces:
    """Where the hands that were found lie in the picture, (frames, 2) each."""

    found: NDArray[np.bool_]
    """Whether there are landmarks at all."""
    is_near: NDArray[np.bool_]
    """At the true hand of its side: on average within a hand's length of its landmarks."""
    is_swapped: NDArray[np.bool_]
    """At the other hand, and nearer to it than to its own."""


def hand_places(truth: Truth, found: Estimate) -> HandPlaces:
    """Tell whose hands were found.

    Args:
        truth: of the clip.
        found: what was found.

    Returns:
        For each hand whether it is the right one, the other one, or neither: in the air, or somebody else's.
    """
    true, length = truth.hands_pixels, hand_lengths(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a hand that was not found has no mean
        own = np.nanmean(np.linalg.norm(found.hands_pixels - true, axis=-1), axis=-1)
        other = np.nanmean(np.linalg.norm(found.hands_pixels - true[:, ::-1], axis=-1), axis=-1)
    swapped = (other < np.where(np.isnan(own), np.inf, own)) & (other <= length[:, ::-1])
    return HandPlaces(np.isfinite(found.hands_pixels[:, :, WRIST, 0]), (own <= length) & ~swapped, swapped)


def hand_lengths(truth: Truth) -> Array:
    """(frames, 2) how long each hand would be in the picture if it lay across the view, in pixels."""
    chain = np.diff(truth.hands_camera[:, :, list(MIDDLE_FINGER)], axis=2)
    depth = np.maximum(truth.hands_camera[:, :, WRIST, 2], 0.02)
    return np.asarray(np.linalg.norm(chain, axis=-1).sum(axis=-1) / depth * truth.intrinsics[0])


def _body_sides(truth: Truth, found: Estimate) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(frames,) where a body was found whose sides can be told apart, and where they are exchanged."""
    left = [BODY_LANDMARKS.index(f"left_{joint}") for joint in ("shoulder", "hip")]
    right = [BODY_LANDMARKS.index(f"right_{joint}") for joint in ("shoulder", "hip")]
    true = truth.body_pixels
    apart = np.linalg.norm(true[:, left] - true[:, right], axis=-1).mean(axis=1)
    trunk = np.linalg.norm(true[:, left[0]] - true[:, left[1]] + true[:, right[0]] - true[:, right[1]], axis=-1) / 2
    own = np.linalg.norm(found.body_pixels[:, left + right] - true[:, left + right], axis=-1).mean(axis=1)
    other = np.linalg.norm(found.body_pixels[:, left + right] - true[:, right + left], axis=-1).mean(axis=1)
    told = np.asarray(np.isfinite(own) & (apart > APART * trunk) & bodies_seen(truth))
    return told, np.asarray(other < own)


def _middle(values: Array) -> float:
    return _quantile(values, 0.5)


def _quantile(values: Array, share: float) -> float:
    values = values[np.isfinite(values)]
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _percent(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean() * 100) if len(flags) else float("nan")
