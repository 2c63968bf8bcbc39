"""The arrays of a trajectory: names, shapes, units and coordinate frames.

`ARRAYS` are the standard ones; `docs/format.md` says the same in words. Not every trajectory has all of them, and
another extractor may give others: what a trajectory has, it says in its `specs`, and a shard in its metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntFlag
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.array_spec import DTYPES, MISSING, MOST_NUMBERS, ArraySpec, from_stored, to_stored
from kinesphere.errors import InvalidInput
from kinesphere.log_scale import LogScale

__all__ = [
    "ADDITIONAL_ARRAYS",
    "ARRAYS",
    "BASIC_ARRAYS",
    "BODY_LANDMARKS",
    "DTYPES",
    "HANDS",
    "HAND_LANDMARKS",
    "MISSING",
    "MOST_NUMBERS",
    "REQUIRED",
    "RESERVED_NAMES",
    "SD_SCALE",
    "ArraySpec",
    "ExtractorIdentity",
    "Scale",
    "Trajectory",
    "Valid",
    "check_specs",
    "from_stored",
    "in_order",
    "standard_specs",
    "to_stored",
]

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

RESERVED_NAMES = ("mask", "episode", "frame", "video", "frame_time", "action")
"""What else batches and tables have beside arrays, which no array can be named."""


class Valid(IntFlag):
    """Bits of the array `valid`: what was found in a frame and what was done to it."""

    BODY = 1
    LEFT_HAND = 2
    RIGHT_HAND = 4
    INTERPOLATED = 8
    SMOOTHED = 16
    UNSURE = 32
    """The body may be somebody else's than the contributor's."""
    SIDES_UNSURE = 64
    """Left and right, of the body or of a hand, may be exchanged."""


_IMAGE_UNITS = "image widths (x, z), heights (y)"
_IMAGE = "image: origin top left, x right, y down, of the upright picture; z towards the camera is negative"
_BODY_MODEL = "model body: origin between the hips, x right, y down, z forward, as the camera sees them"
_HAND_MODEL = "model hand: origin at the hand's centre, x right, y down, z forward, as the camera sees them"
_CAMERA = "camera: x right, y down, z forward"

BASIC_ARRAYS: Mapping[str, ArraySpec] = {
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
"""What the built-in extractor has given from the first release on."""

SD_SCALE = LogScale(smallest=1e-5, ratio=1.056)
"""In which standard deviations are stored: from 1e-5 to 10 of their units, changed by 2.8 % at most."""


def _deviations_of(spec: ArraySpec) -> ArraySpec:
    """The standard deviations of an array's numbers, one each, in its units and frame."""
    return replace(
        spec, name=f"{spec.name}_sd", dtype="uint8", description=f"standard deviation of {spec.name}",
        scale_factor=None, log_scale=SD_SCALE,
    )  # fmt: skip


_VELOCITY = ArraySpec(
    "wrist_velocity", "float32", (2, 6), ("frame", "hand", "xyz_rotation"), "m/s (x y z), rad/s (rotation about x y z)",
    "how fast each wrist moves and turns, found with the track and not by differences", _CAMERA,
)  # fmt: skip
_POSE_SD = ArraySpec(
    "wrist_pose_sd", "uint8", (2, 6), ("frame", "hand", "xyz_rotation"), "m (x y z), rad (rotation vector x y z)",
    "standard deviation of wrist_pose: of the place, and of the small turn between found and true", _CAMERA,
    log_scale=SD_SCALE,
)  # fmt: skip

ADDITIONAL_ARRAYS: Mapping[str, ArraySpec] = {
    spec.name: spec
    for spec in (
        _VELOCITY,
        *(_deviations_of(BASIC_ARRAYS[name]) for name in ("body_image", "body_world", "hands_image", "hands_world")),
        _POSE_SD,
        _deviations_of(BASIC_ARRAYS["grip"]),
        _deviations_of(_VELOCITY),
    )
}
"""What extractors may give besides: trajectories of earlier releases have none of them."""
ARRAYS: Mapping[str, ArraySpec] = {**BASIC_ARRAYS, **ADDITIONAL_ARRAYS}
"""The standard arrays. Whatever extractor gives an array of one of these names, it is this array."""
REQUIRED = ("timestamp", "valid")
"""The arrays that every trajectory has."""

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

    `arrays` holds every name of `specs`, shape `(T, *spec.shape)`: float32 in their units with NaN where missing, or as
    stored where the type is an integer without a scale, as `timestamp` (int64 ns) and `valid` (uint8) are.

    Raises:
        InvalidInput: `timestamp` or `valid` is missing, an array is not what its spec says, one with a standard name is
            not the standard array, or there are no frames.
    """

    recording: str
    contributor: str
    extractor: ExtractorIdentity
    image_width: int
    image_height: int
    scale: Scale
    intrinsics: Mapping[str, Any]
    """`fx`, `fy`, `cx`, `cy` in pixels of the upright picture and `source`: "assumed", "estimated" or "calibrated".

    `fx_sd`, `fy_sd` say how well the focal lengths are known. Estimated: `from` says from what. Calibrated: also
    `cx_sd`, `cy_sd`, `distortion` (k1 k2 p1 p2 k3) and `camera`. With a known length: `scale`, see
    `pose.geometry.metric.to_metric`.
    """
    arrays: Mapping[str, NDArray[Any]]
    specs: Mapping[str, ArraySpec] = field(default_factory=dict)
    """What its arrays are, by name: by default the basic ones, and those additional ones that `arrays` has."""

    def __post_init__(self) -> None:
        if not self.specs:
            object.__setattr__(self, "specs", standard_specs(self.arrays))
        check_specs(self.specs)
        if set(self.arrays) != set(self.specs):
            odd = sorted(set(self.arrays) ^ set(self.specs))
            raise InvalidInput(
                f"this trajectory should hold exactly the arrays {list(self.specs)}; these differ: {odd}"
            )
        for name, values in self.arrays.items():
            expected = (len(self), *self.specs[name].shape)
            if values.shape != expected:
                raise InvalidInput(f"array '{name}' should have shape {expected}, got {values.shape}")
            if name not in ARRAYS and not np.can_cast(values.dtype, self.specs[name].in_units, "same_kind"):
                raise InvalidInput(f"array '{name}' should be {self.specs[name].in_units}, got {values.dtype}")
        if len(self) == 0:
            raise InvalidInput(f"trajectory of recording {self.recording} has no frames")

    def __len__(self) -> int:
        return len(self.arrays["timestamp"])


def standard_specs(names: Collection[str]) -> dict[str, ArraySpec]:
    """What a trajectory has that says nothing else: the basic arrays, and the additional ones that are named.

    Args:
        names: of the arrays that there are.

    Returns:
        By name, in the order of `ARRAYS`.
    """
    return {name: spec for name, spec in ARRAYS.items() if name in BASIC_ARRAYS or name in names}


def check_specs(specs: Mapping[str, ArraySpec]) -> None:
    """Make sure that a trajectory can have these arrays.

    Args:
        specs: by name.

    Raises:
        InvalidInput: `timestamp` or `valid` is missing, a name is not free or not the array's own, or an array with a
            standard name is not the standard one.
    """
    missing = [name for name in REQUIRED if name not in specs]
    if missing:
        raise InvalidInput(f"a trajectory has the arrays {' and '.join(REQUIRED)}; missing: {', '.join(missing)}")
    for name, spec in specs.items():
        if name in RESERVED_NAMES:
            raise InvalidInput(f"no array can be named '{name}': batches have something else of this name")
        if spec.name != name:
            raise InvalidInput(f"array '{spec.name}' is listed under the name '{name}'")
        if name in ARRAYS and not spec.means_the_same(ARRAYS[name]):
            raise InvalidInput(
                f"'{name}' names a standard array, {ARRAYS[name]}, of which units, frame, dimensions and landmarks are "
                f"fixed too; this one is {spec}: give it a name of its own"
            )


def in_order(specs: Iterable[ArraySpec]) -> dict[str, ArraySpec]:
    """Put arrays into the order in which they are listed everywhere.

    Args:
        specs: in any order.

    Returns:
        By name: the standard ones in the order of `ARRAYS`, then the others in that of their names.
    """
    places = {name: place for place, name in enumerate(ARRAYS)}
    ordered = sorted(specs, key=lambda spec: (places.get(spec.name, len(places)), spec.name))
    return {spec.name: spec for spec in ordered}
