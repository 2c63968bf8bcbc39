"""Lifts a trajectory from the size of a model human to metres by one true length, and says how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HANDS, Trajectory
from pose.geometry.intrinsics import ASSUMED_SD, undistorted
from pose.geometry.sheet import Sighting
from pose.geometry.wrist import palm_axes
from pose.landmarks import INDEX_TIP, THUMB_TIP, WRIST
from pose.motion.error_model import ErrorModel
from storage.recordings.camera_calibration import KnownLength

EYE_TO_ANKLE = 0.936 - 0.039
"""Height of the eyes less that of the ankles over stature (Drillis and Contini 1966, in Winter 2009)."""
STRAIGHT = math.radians(160)
"""Hips and knees stretched further than this shorten the way from eye to ankle by less than 1.5 %."""
SEEN = 0.5
"""Least visibility of every landmark of the measure: more likely seen than guessed."""
FEWEST_FRAMES = 10
"""A third of a second of standing, or of holding the sheet with one hand."""

BODY_SD = 0.05
"""Relative standard deviation of stature by landmarks: in the demo's clip MediaPipe's thighs, shanks, trunk and the way
from eye to ankle stand for statures that differ by 4 %, and people's own proportions by another 1 to 2 %."""
HAND_SD = 0.04
"""Of hand length where stature is known, and the reverse (ANSUR II: 193 mm, 9.9 mm; two thirds not due to stature)."""
GRASP_SD = 0.03
"""Of the depth of a sheet against that of the finger tips that hold it: 15 mm at half a metre."""

LEAST_SHARE = 0.2
"""Of a standard deviation that is left without the stature's, at least."""
LARGEST_REACH = 0.15
"""Finger tips count as holding a sheet if they lie on it, or beside it by less than this share of its diagonal."""


@dataclass(frozen=True)
class _Factor:
    """True length over model length."""

    value: float
    spread: float
    """Relative standard deviation from frame to frame."""
    frames: int


_BY_HEIGHT = ("body_world", "body_visibility")
_BY_SHEET = ("hands_image", "hands_world", "wrist_pose")
"""The arrays from which a scale is found."""
_PLACES_FIRST = ("wrist_pose", "wrist_pose_sd", "wrist_velocity", "wrist_velocity_sd")
"""The arrays of which the first three numbers are lengths, and the others rotations."""


def to_metric(trajectory: Trajectory, known: KnownLength, sightings: Sequence[Sighting] = ()) -> tuple[Trajectory, str]:
    """Multiply all lengths in camera space by true length over model length, the median over the frames that show it.

    These are the arrays with the unit "m", the places of `wrist_pose`, and what is said of them: standard deviations,
    velocities and theirs. Standard deviations hold that a person may not be of the model's stature; in place of that
    comes how wrong the scale is (`body_sd`, see below).

    Height: from the eyes to the ankles while the contributor stands upright in view. Board or sheet, held in a hand:
    its plane's depth at the finger tips over the model hand's. One factor serves body and hands alike. What it is and
    how sure is kept in `intrinsics["scale"]`: `from`, `factor`, `frames`, and the relative standard deviations
    `body_sd` (lengths of the body) and `wrist_sd` (distance of the wrists from the camera, focal length included).
    The height itself is personal and is not kept.

    Args:
        trajectory: of scale "relative".
        known: the true length.
        sightings: of the board or the sheet, as `SheetFinder` collects them.

    Returns:
        The trajectory of scale "metric" and an empty text; or the trajectory as it is, but for `intrinsics`, and why.
    """
    needed = _BY_HEIGHT if known.kind == "height" else _BY_SHEET
    missing = [name for name in needed if name not in trajectory.arrays]
    if missing:
        factor, why_not = None, f"extractor '{trajectory.extractor.name}' gives no {', '.join(missing)}"
    elif known.kind == "height":
        factor, why_not = _by_height(trajectory.arrays, known.metres or math.nan), "nobody stood upright in view"
    else:
        factor, why_not = (
            _by_sheet(trajectory, sightings),
            f"no hand was seen holding the {known.kind} at the beginning",
        )
    if factor is None:
        scale: dict[str, Any] = {"from": known.kind, "not_used": why_not}
        return replace(trajectory, intrinsics={**trajectory.intrinsics, "scale": scale}), why_not
    own, other = (BODY_SD, HAND_SD) if known.kind == "height" else (GRASP_SD, HAND_SD)
    by_body = known.kind == "height"
    focal = _focal_sd(trajectory.intrinsics)
    scale = {
        "from": known.kind,
        "factor": factor.value,
        "frames": factor.frames,
        "body_sd": math.hypot(factor.spread, own, 0 if by_body else other),
        "wrist_sd": math.hypot(factor.spread, own, other if by_body else 0, focal),
    }
    arrays = dict(trajectory.arrays)
    for name, spec in trajectory.specs.items():
        if spec.units == "m":
            arrays[name] = (arrays[name] * factor.value).astype(np.float32)
    for name in _PLACES_FIRST:
        if name in arrays:
            arrays[name] = arrays[name].copy()
            arrays[name][..., :3] *= np.float32(factor.value)
    for name in ("body_world", "hands_world", "wrist_pose", "wrist_velocity"):
        if f"{name}_sd" in arrays:
            arrays[f"{name}_sd"][..., :3] = _of_known_size(arrays, name, scale["body_sd"])
    intrinsics = {**trajectory.intrinsics, "scale": scale}
    return replace(trajectory, scale="metric", intrinsics=intrinsics, arrays=arrays), ""


def _of_known_size(arrays: Mapping[str, NDArray[Any]], name: str, scale_sd: float) -> NDArray[np.float64]:
    """(frames, ..., 3): standard deviations with the error of the scale in place of that of the stature."""
    values = np.abs(arrays[name][..., :3].astype(np.float64))
    variance = arrays[f"{name}_sd"][..., :3].astype(np.float64) ** 2
    other = np.maximum(variance - (ErrorModel.STATURE * values) ** 2, (LEAST_SHARE**2) * variance)
    return np.asarray(np.sqrt(other + (scale_sd * values) ** 2), np.float64)


def _by_height(arrays: Mapping[str, NDArray[Any]], metres: float) -> _Factor | None:
    names = ("eye", "shoulder", "hip", "knee", "ankle")
    pairs = {name: [BODY_LANDMARKS.index(f"{side}_{name}") for side in HANDS] for name in names}
    world = np.asarray(arrays["body_world"], np.float64)
    needed = [index for pair in pairs.values() for index in pair]
    seen = (arrays["body_visibility"][:, needed] > SEEN).all(axis=1)
    joints = {name: world[:, indices] for name, indices in pairs.items()}  # (frames, side, 3)
    with np.errstate(invalid="ignore"):
        knees = _angle(joints["hip"], joints["knee"], joints["ankle"]) > STRAIGHT
        hips = _angle(joints["shoulder"], joints["hip"], joints["knee"]) > STRAIGHT
    upright = seen & knees.all(axis=1) & hips.all(axis=1)
    eye_to_ankle = np.linalg.norm(joints["eye"].mean(axis=1) - joints["ankle"].mean(axis=1), axis=-1)
    return _robust(metres * EYE_TO_ANKLE / eye_to_ankle[upright])


def _by_sheet(trajectory: Trajectory, sightings: Sequence[Sighting]) -> _Factor | None:
    arrays, camera = trajectory.arrays, trajectory.intrinsics
    size = np.array([trajectory.image_width, trajectory.image_height], np.float64)
    factors = []
    for sighting in sightings:
        row = int(np.abs(arrays["timestamp"] - sighting.timestamp_ns).argmin())
        for side in range(len(HANDS)):
            depth = _tips_depth(arrays, row, side)
            tips = arrays["hands_image"][row, side, [THUMB_TIP, INDEX_TIP], :2].mean(axis=0)
            point = undistorted(tips * size, camera)
            if depth is not None and np.isfinite(point).all() and sighting.reaches(point, LARGEST_REACH):
                ray = np.array([(point[0] - camera["cx"]) / camera["fx"], (point[1] - camera["cy"]) / camera["fy"], 1])
                factors.append(sighting.depth_along(ray) / depth)
    return _robust(np.array([factor for factor in factors if np.isfinite(factor) and factor > 0]))


def _tips_depth(arrays: Mapping[str, NDArray[Any]], row: int, side: int) -> float | None:
    """Distance in the camera's z of the middle between thumb's and index finger's tips, as the model has it."""
    pose = np.asarray(arrays["wrist_pose"][row, side], np.float64)
    world = np.asarray(arrays["hands_world"][row, side], np.float64)
    if not (np.isfinite(pose).all() and np.isfinite(world).all()):
        return None
    w, x, y, z = pose[3:]
    rotation_last = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    to_camera_z = rotation_last @ palm_axes(world[None], side)[0].T
    return float(pose[2] + to_camera_z @ (world[[THUMB_TIP, INDEX_TIP]].mean(axis=0) - world[WRIST]))


def _robust(factors: NDArray[np.float64]) -> _Factor | None:
    """Median and spread (1.4826 times the median absolute deviation, which is sigma for normal errors)."""
    if len(factors) < FEWEST_FRAMES:
        return None
    middle = float(np.median(factors))
    spread = 1.4826 * float(np.median(np.abs(factors - middle))) / middle
    return _Factor(middle, spread, len(factors))


def _focal_sd(intrinsics: Mapping[str, Any]) -> float:
    if "fx_sd" not in intrinsics:  # assumed by a release that did not say how well
        return ASSUMED_SD
    return float(max(intrinsics["fx_sd"] / intrinsics["fx"], intrinsics["fy_sd"] / intrinsics["fy"]))


def _angle(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles at `b`, in radians; NaN where a point is missing."""
    one, other = a - b, c - b
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray(np.arccos(np.clip((one * other).sum(axis=-1) / lengths, -1, 1)))
