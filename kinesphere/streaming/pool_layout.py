"""Which arrays pools of frames hold, in which types, and how much memory a frame takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinesphere.trajectory import ArraySpec

FRAME_TIME = "frame_time"
"""The name under which pools hold the time of the nearest frame, by which its picture is found."""

FRAME_TIME_SPEC = ArraySpec(FRAME_TIME, "int64", (), ("frame",), "ns", "time of the nearest stored frame")


@dataclass(frozen=True)
class PoolLayout:
    """What one frame is in a pool, and in a batch."""

    specs: Mapping[str, ArraySpec]
    """The arrays by name, as they are stored."""
    types: Mapping[str, np.dtype[Any]]
    """In which types a pool holds them, by name."""
    in_units: bool
    """Whether numbers are decoded to float32 in units instead of being kept as stored."""
    handed_over: tuple[str, ...]
    """Those that batches have; the others are read for what is made of them."""

    @classmethod
    def of(cls, specs: Sequence[ArraySpec], *, in_units: bool, handed_over: Sequence[str] | None = None) -> PoolLayout:
        """The layout of some arrays.

        Args:
            specs: the arrays; among them may be `FRAME_TIME_SPEC`.
            in_units: decode to float32 in units.
            handed_over: names of those that batches have; all by default.

        Returns:
            The layout, with the arrays in their order.
        """
        types = {spec.name: np.dtype(spec.in_units if in_units else spec.dtype) for spec in specs}
        names = tuple(types) if handed_over is None else tuple(handed_over)
        return cls({spec.name: spec for spec in specs}, types, in_units, names)

    @property
    def frame_bytes(self) -> int:
        """What a frame takes in a pool."""
        return sum(type_.itemsize * self.specs[name].numbers for name, type_ in self.types.items())

    @property
    def frame_numbers(self) -> int:
        """How many numbers a frame has in all arrays together."""
        return sum(spec.numbers for spec in self.specs.values())

    @property
    def largest_numbers(self) -> int:
        """How many it has in the array that has most."""
        return max(spec.numbers for spec in self.specs.values())

    @property
    def largest_stored_bytes(self) -> int:
        """What a frame takes, as stored, in the array where it takes most."""
        return max(np.dtype(spec.dtype).itemsize * spec.numbers for spec in self.specs.values())
