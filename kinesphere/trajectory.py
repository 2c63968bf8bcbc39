"""The arrays of a trajectory: names, shapes, units and coordinate frames, and how they become fixed point.

This table is the shard format's truth; `docs/format.md` says the same in words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

MISSING = -32768
"""The stored value of a missing fixed-point number. Missing is missing, never 0."""

BODY_LANDMARKS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
HAND_LANDMARKS = (
    "wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip",
    *(f"{finger}_{joint}" for finger in ("index", "middle", "ring", "pinky") for joint in ("mcp", "pip", "dip", "tip")),
)  # fmt: skip
HANDS = ("left", "right")
"""The contributor's own left and right, in the order of every `hand` axis."""


class Valid(IntFlag):
    """Bits of the array `valid`: what was found in a frame and what was done to it."""

    BODY = 1
    LEFT_HAND = 2
    RIGHT_HAND = 4
    INTERPOLATED = 8
    SMOOTHED = 16
    UNSURE = 32
    """The body may be somebody else's than the contributor's."""


@dataclass(frozen=True)
class ArraySpec:
    """One array of a trajectory, as stored.

    `shape` is the shape of one frame. Where `scale_factor` is set, the stored integer times it is the value
    in `units`; int16 arrays with a scale store `MISSING` for NaN.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    units: str
    description: str
    frame: str = ""
    scale_factor: float | None = None
    landmarks: tuple[str, ...] = ()

    @property
    def is_fixed_point(self) -> bool:
        """True for int16 arrays, which can hold `MISSING`."""
        return self.dtype == "int16"


_IMAGE_UNITS = "image widths (x, z), heights (y)"
_IMAGE = "image: origin top left, x right, y down, of the upright picture; z towards the camera is negative"
_BODY_MODEL = "model body: origin between the hips, x right, y down, z forward, as the camera sees them"
_HAND_MODEL = "model hand: origin at the hand's centre, x right, y down, z forward, as the camera sees them"
_CAMERA = "camera: x right, y down, z forward"

ARRAYS: Mapping[str, ArraySpec] = {
    spec.name: spec
    for spec in (
        ArraySpec("timestamp", "int64", (), ("frame",), "ns",
                  "time since the recording began, from the camera's frames"),
        ArraySpec("body_image", "int16", (33, 3), ("frame", "body_landmark", "xyz"), _IMAGE_UNITS,
                  "body landmarks in the picture; z is relative", _IMAGE, 1e-4, BODY_LANDMARKS),
        ArraySpec("body_world", "int16", (33, 3), ("frame", "body_landmark", "xyz"), "m",
                  "body landmarks in metres of a model human", _BODY_MODEL, 1e-4, BODY_LANDMARKS),
        ArraySpec("body_visibility", "uint8", (33,), ("frame", "body_landmark"), "1",
                  "how likely each body landmark is visible", "", 1 / 255, BODY_LANDMARKS),
        ArraySpec("hands_image", "int16", (2, 21, 3), ("frame", "hand", "hand_landmark", "xyz"), _IMAGE_UNITS,
                  "hand landmarks in the picture, left then right; z is relative", _IMAGE, 1e-4, HAND_LANDMARKS),
        ArraySpec("hands_world", "int16", (2, 21, 3), ("frame", "hand", "hand_landmark", "xyz"), "m",
                  "hand landmarks in metres of a model hand, left then right", _HAND_MODEL, 1e-4, HAND_LANDMARKS),
        ArraySpec("hand_score", "uint8", (2,), ("frame", "hand"), "1",
                  "score of each hand; 0 where none was found", "", 1 / 255),
        ArraySpec("wrist_pose", "float32", (2, 7), ("frame", "hand", "pose"), "m (x y z), 1 (quaternion w x y z)",
                  "pose of each wrist", _CAMERA),
        ArraySpec("grip", "float32", (2,), ("frame", "hand"), "1",
                  "distance of thumb and index tip over the hand's length"),
        ArraySpec("valid", "uint8", (), ("frame",), "1",
                  "bit flags: " + ", ".join(f"{flag.value} {str(flag.name).lower()}" for flag in Valid)),
    )
}  # fmt: skip

_BLOCK_FRAMES = 4096
Scale = Literal["relative", "metric"]
"""Whether lengths in camera space are those of a model human (`relative`) or were calibrated (`metric`)."""


@dataclass(frozen=True)
class ExtractorIdentity:
    """What decides the bytes of a trajectory besides the video: model hashes, settings and code revision."""

    name: str
    revision: int
    models: Mapping[str, str]
    settings: Mapping[str, Any]

    @property
    def extractor_id(self) -> str:
        """Short hash of all the fields: equal identities give equal bytes."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The identity as plain JSON values.

        Returns:
            The fields by name.
        """
        return {
            "name": self.name,
            "revision": self.revision,
            "models": dict(self.models),
            "settings": dict(self.settings),
        }


@dataclass(frozen=True)
class Trajectory:
    """Keypoints over time, extracted from one recording by one extractor.

    `arrays` holds every name of `ARRAYS`: `timestamp` int64 ns and `valid` uint8 as stored, all others float32
    in their units with NaN where missing, shape `(T, *spec.shape)`.
    """

    recording: str
    contributor: str
    extractor: ExtractorIdentity
    image_width: int
    image_height: int
    scale: Scale
    intrinsics: Mapping[str, Any]
    """`fx`, `fy`, `cx`, `cy` in pixels of the upright picture and `source`: "assumed" or "calibrated".

    Calibrated: also `fx_sd` and so on, `distortion` (k1 k2 p1 p2 k3) and `camera`. With a known length: `scale`, see
    `pose.geometry.metric.to_metric`.
    """
    arrays: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        if set(self.arrays) != set(ARRAYS):
            odd = sorted(set(self.arrays) ^ set(ARRAYS))
            raise InvalidInput(f"a trajectory holds exactly the arrays {list(ARRAYS)}; these differ: {odd}")
        for name, values in self.arrays.items():
            expected = (len(self), *ARRAYS[name].shape)
            if values.shape != expected:
                raise InvalidInput(f"array '{name}' should have shape {expected}, got {values.shape}")
        if len(self) == 0:
            raise InvalidInput(f"trajectory of recording {self.recording} has no frames")

    def __len__(self) -> int:
        return len(self.arrays["timestamp"])


def to_stored(spec: ArraySpec, values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Turn values in units into what the shard stores.

    NaN becomes `MISSING` in int16 arrays and 0 in scaled uint8 arrays, where 0 means "not found".

    Args:
        spec: the array.
        values: `(T, *spec.shape)`, float in units with NaN where missing, or as stored where there is no scale.

    Returns:
        The stored array, and how many numbers were clipped to the range of its type.
    """
    if spec.scale_factor is None:
        return np.ascontiguousarray(values, dtype=spec.dtype), 0
    limits = np.iinfo(spec.dtype)
    low = MISSING + 1 if spec.is_fixed_point else limits.min
    stored, clipped = np.empty(values.shape, spec.dtype), 0
    for first in range(0, len(values), _BLOCK_FRAMES):  # what lies between takes five times the memory of the result
        block = slice(first, first + _BLOCK_FRAMES)
        missing = np.isnan(values[block])
        scaled = np.rint(np.where(missing, 0.0, values[block]) / spec.scale_factor)
        clipped += int(np.count_nonzero((scaled < low) | (scaled > limits.max)))
        stored[block] = np.clip(scaled, low, limits.max).astype(spec.dtype)
        stored[block][missing] = MISSING if spec.is_fixed_point else 0
    return stored, clipped


def from_stored(spec: ArraySpec, stored: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Inverse of `to_stored`: float32 in units with NaN where missing, in `out` if given.

    Without a scale, values are what was stored (and are `stored` itself, where there is no `out`).

    Args:
        spec: the array.
        stored: `(T, *spec.shape)`.
        out: where to put the values, of the same shape.

    Returns:
        `(T, *spec.shape)`: float32, or the stored type without a scale.
    """
    if spec.scale_factor is None:
        if out is None:
            return stored
        out[...] = stored
        return out
    values: NDArray[np.float32] = np.multiply(stored, np.float32(spec.scale_factor), out=out, dtype=np.float32)
    if spec.is_fixed_point:
        np.copyto(values, np.nan, where=stored == MISSING)
    return values
