"""The arrays of a trajectory: names, shapes, units and coordinate frames, and how they become fixed point.

`ARRAYS` are those of the built-in extractor; `docs/format.md` says the same in words. Another extractor may give
others: what a trajectory has, it says in its `specs`, and a shard in its metadata.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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


DTYPES = ("int64", "int16", "uint8", "float32")
"""The types that a shard stores. int16 numbers are fixed point and have a scale, uint8 numbers may have one."""
MOST_NUMBERS = 4096
"""The most numbers that a frame has in one array: keypoints and what is derived from them, not pictures."""
RESERVED_NAMES = ("mask", "episode", "frame", "video", "frame_time", "action")
"""What else batches and tables have beside arrays, which no array can be named."""
_ARRAY_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


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


@dataclass(frozen=True)
class ArraySpec:
    """One array of a trajectory, as stored.

    `shape` is the shape of one frame. Where `scale_factor` is set, the stored integer times it is the value
    in `units`; int16 arrays with a scale store `MISSING` for NaN.

    Raises:
        InvalidInput: the name is none, the type is not one of `DTYPES` or lacks its scale, or shape, dimensions and
            landmarks do not fit each other.
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

    def __post_init__(self) -> None:
        if not _ARRAY_NAME.fullmatch(self.name):
            raise InvalidInput(
                f"'{self.name}' cannot name an array: use 1 to 64 lower-case letters, digits or '_', a letter first"
            )
        if self.dtype not in DTYPES:
            raise InvalidInput(
                f"array '{self.name}' should be stored as one of {', '.join(DTYPES)}, not {self.dtype!r}"
            )
        if self.scale_factor is None and self.is_fixed_point:
            raise InvalidInput(f"array '{self.name}' is int16, which is fixed point, so it needs a scale_factor")
        if self.scale_factor is not None and (self.dtype not in ("int16", "uint8") or not 0 < self.scale_factor < 1e9):
            raise InvalidInput(
                f"array '{self.name}' is {self.dtype} with scale_factor {self.scale_factor}; it should be a positive "
                "number, and only int16 and uint8 have one"
            )
        if any(length < 1 for length in self.shape) or self.numbers > MOST_NUMBERS:
            raise InvalidInput(
                f"array '{self.name}' has {list(self.shape)} numbers a frame; it should be 1 to {MOST_NUMBERS} of them"
            )
        if self.dimensions[:1] != ("frame",) or len(set(self.dimensions)) != 1 + len(self.shape):
            raise InvalidInput(
                f"array '{self.name}' should have {1 + len(self.shape)} dimensions of different names, 'frame' and "
                f"then one for each of {list(self.shape)}; got {list(self.dimensions)}"
            )
        if self.landmarks and len(self.landmarks) not in self.shape:
            raise InvalidInput(f"array '{self.name}' names {len(self.landmarks)} landmarks; no axis has as many")

    def __str__(self) -> str:
        scale = "" if self.scale_factor is None else f" x {self.scale_factor:g}"
        return f"{self.dtype} {list(self.shape)}{scale}"

    @property
    def numbers(self) -> int:
        """How many numbers a frame has."""
        return math.prod(self.shape)

    @property
    def in_units(self) -> str:
        """The type of its values as readers get them: float32 in units where it has a scale, else as stored."""
        return "float32" if self.scale_factor is not None else self.dtype

    @property
    def is_fixed_point(self) -> bool:
        """True for int16 arrays, which can hold `MISSING`."""
        return self.dtype == "int16"

    def is_stored_like(self, other: ArraySpec) -> bool:
        """Whether two arrays can be read into one, whatever they mean.

        Args:
            other: the other array.

        Returns:
            True where type, shape of a frame and scale are equal.
        """
        return (self.dtype, self.shape, self.scale_factor) == (other.dtype, other.shape, other.scale_factor)

    def means_the_same(self, other: ArraySpec) -> bool:
        """Whether the numbers of two arrays mean the same.

        Args:
            other: the other array.

        Returns:
            True where all is equal but the words of the description.
        """
        return self == replace(other, description=self.description)


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
"""What the built-in extractor gives. Whatever extractor gives an array of one of these names, it is this array."""
REQUIRED = ("timestamp", "valid")
"""The arrays that every trajectory has."""

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
    """`fx`, `fy`, `cx`, `cy` in pixels of the upright picture and `source`: "assumed" or "calibrated".

    Calibrated: also `fx_sd` and so on, `distortion` (k1 k2 p1 p2 k3) and `camera`. With a known length: `scale`, see
    `pose.geometry.metric.to_metric`.
    """
    arrays: Mapping[str, NDArray[Any]]
    specs: Mapping[str, ArraySpec] = field(default_factory=lambda: ARRAYS)
    """What its arrays are, by name: by default those of the built-in extractor."""

    def __post_init__(self) -> None:
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
