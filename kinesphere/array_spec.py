"""What one array of a trajectory is, and how its numbers become what a shard stores: fixed point, or a log scale."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.log_scale import LogScale

MISSING = -32768
"""The stored value of a missing fixed-point number. Missing is missing, never 0."""
DTYPES = ("int64", "int16", "uint8", "float32")
"""The types that a shard stores. int16 numbers are fixed point and have a scale; uint8 numbers may have one, or a log
scale."""
MOST_NUMBERS = 4096
"""The most numbers that a frame has in one array: keypoints and what is derived from them, not pictures."""
_ARRAY_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_BLOCK_FRAMES = 4096


@dataclass(frozen=True)
class ArraySpec:
    """One array of a trajectory, as stored.

    `shape` is the shape of one frame. Where `scale_factor` is set, the stored integer times it is the value
    in `units`; int16 arrays with a scale store `MISSING` for NaN. Where `log_scale` is set, it decodes what is stored,
    and 0 is stored for NaN.

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
    log_scale: LogScale | None = None

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
        if self.log_scale is not None and (self.dtype != "uint8" or self.scale_factor is not None):
            raise InvalidInput(
                f"array '{self.name}' is {self.dtype} with a log scale; only uint8 has one, and then no scale_factor"
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
        scale += "" if self.log_scale is None else f", {self.log_scale}"
        return f"{self.dtype} {list(self.shape)}{scale}"

    @property
    def numbers(self) -> int:
        """How many numbers a frame has."""
        return math.prod(self.shape)

    @property
    def in_units(self) -> str:
        """The type of its values as readers get them: float32 in units where it has a scale, else as stored."""
        return self.dtype if self.is_as_stored else "float32"

    @property
    def is_as_stored(self) -> bool:
        """True where what is stored are the values themselves: there is no scale."""
        return self.scale_factor is None and self.log_scale is None

    @property
    def has_missing(self) -> bool:
        """Whether a value can be missing: not in flags, scores, visibilities and times."""
        return self.is_fixed_point or self.log_scale is not None or self.dtype == "float32"

    @property
    def is_fixed_point(self) -> bool:
        """True for int16 arrays, which can hold `MISSING`."""
        return self.dtype == "int16"

    def is_stored_like(self, other: ArraySpec) -> bool:
        """Whether two arrays can be read into one, whatever they mean.

        Args:
            other: the other array.

        Returns:
            True where type, shape of a frame and scales are equal.
        """
        ours, theirs = ((spec.dtype, spec.shape, spec.scale_factor, spec.log_scale) for spec in (self, other))
        return ours == theirs

    def means_the_same(self, other: ArraySpec) -> bool:
        """Whether the numbers of two arrays mean the same.

        Args:
            other: the other array.

        Returns:
            True where all is equal but the words of the description.
        """
        return self == replace(other, description=self.description)


def to_stored(spec: ArraySpec, values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Turn values in units into what the shard stores.

    NaN becomes `MISSING` in int16 arrays, 0 in those with a log scale, and 0 in scaled uint8 arrays, where 0 means
    "not found".

    Args:
        spec: the array.
        values: `(T, *spec.shape)`, float in units with NaN where missing, or as stored where there is no scale.

    Returns:
        The stored array, and how many numbers were clipped to the range of its type.

    Raises:
        InvalidInput: a number is negative and the array has a log scale.
    """
    if spec.is_as_stored:
        return np.ascontiguousarray(values, dtype=spec.dtype), 0
    limits = np.iinfo(spec.dtype)
    low = MISSING + 1 if spec.is_fixed_point else limits.min
    stored, clipped = np.empty(values.shape, spec.dtype), 0
    for first in range(0, len(values), _BLOCK_FRAMES):  # what lies between takes five times the memory of the result
        block = slice(first, first + _BLOCK_FRAMES)
        if spec.log_scale is not None:
            try:
                stored[block], clipped_here = spec.log_scale.encode(values[block])
            except InvalidInput as error:
                raise InvalidInput(f"array '{spec.name}': {error}") from error
            clipped += clipped_here
            continue
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
    if spec.log_scale is not None:
        return spec.log_scale.decode(stored, out)
    if spec.scale_factor is None:
        if out is None:
            return stored
        out[...] = stored
        return out
    values: NDArray[np.float32] = np.multiply(stored, np.float32(spec.scale_factor), out=out, dtype=np.float32)
    if spec.is_fixed_point:
        np.copyto(values, np.nan, where=stored == MISSING)
    return values
