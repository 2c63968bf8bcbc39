"""Which arrays pools of frames hold, in which types, and how much memory a frame takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinesphere.trajectory import ARRAYS, ArraySpec

FRAME_TIME = "frame_time"
"""The name under which pools hold the time of the nearest frame, by which its picture is found."""

POOL_ARRAYS: Mapping[str, ArraySpec] = {
    **ARRAYS,
    FRAME_TIME: ArraySpec(FRAME_TIME, "int64", (), ("frame",), "ns", "time of the nearest stored frame"),
}


@dataclass(frozen=True)
class PoolLayout:
    """What one frame is in a pool, and in a batch."""

    types: Mapping[str, np.dtype[Any]]
    """By the name of the array."""
    in_units: bool
    """Whether numbers are decoded to float32 in units instead of being kept as stored."""

    @classmethod
    def of(cls, names: Sequence[str], *, in_units: bool) -> PoolLayout:
        """The layout of some arrays.

        Args:
            names: some of `POOL_ARRAYS`.
            in_units: decode to float32 in units.

        Returns:
            The layout, with the arrays in their order.
        """
        specs = [POOL_ARRAYS[name] for name in names]
        types = {
            spec.name: np.dtype(np.float32 if in_units and spec.scale_factor is not None else spec.dtype)
            for spec in specs
        }
        return cls(types, in_units)

    @property
    def frame_bytes(self) -> int:
        """What a frame takes in a pool."""
        return sum(type_.itemsize * _numbers(name) for name, type_ in self.types.items())

    @property
    def frame_numbers(self) -> int:
        """How many numbers a frame has in all arrays together."""
        return sum(_numbers(name) for name in self.types)

    @property
    def largest_numbers(self) -> int:
        """How many it has in the array that has most."""
        return max(_numbers(name) for name in self.types)

    @property
    def largest_stored_bytes(self) -> int:
        """What a frame takes, as stored, in the array where it takes most."""
        return max(np.dtype(POOL_ARRAYS[name].dtype).itemsize * _numbers(name) for name in self.types)


def _numbers(name: str) -> int:
    return int(np.prod(POOL_ARRAYS[name].shape))
