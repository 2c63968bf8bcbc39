"""Weights of frames by how sure their numbers are, from the standard deviations that an extractor states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ArraySpec, from_stored

WEIGHT = "weight"
"""The name under which batches have the weights."""

WeightBy = str | Mapping[str, float]
"""An array's name, or one with the standard deviation at which its weight is a half."""

FLOORS: Mapping[str, float] = {
    "body_image": 0.01,
    "body_world": 0.03,
    "hands_image": 0.005,
    "hands_world": 0.005,
    "wrist_pose": 0.03,
    "grip": 0.04,
    "wrist_velocity": 0.1,
}
"""The standard deviation, in the array's units, at which a weight is a half: about what a good track has."""

_IN_THE_PICTURE = ("body_image", "hands_image")
"""Arrays of which x and y alone count: their z is relative."""


@dataclass(frozen=True)
class FrameWeight:
    """Turns standard deviations into weights, `floor**2 / (floor**2 + sd**2)`: 1 where sure, 0 where missing.

    It is how much a value counts against one that is known to `floor`, as a Kalman filter would weigh them. Of places
    the root of the mean square over x, y and z counts, in the picture over x and y; of `wrist_pose` and
    `wrist_velocity` the place and its velocity, not the rotation.
    """

    key: str
    """The array that is weighed."""
    floor: float
    """The standard deviation at which the weight is a half, in the array's units."""

    @classmethod
    def of(cls, weight_by: WeightBy) -> FrameWeight:
        """What an argument of `Dataset.stream` means.

        Args:
            weight_by: a name, or a mapping from one name to its floor.

        Returns:
            How to weigh.

        Raises:
            InvalidInput: it is neither, the floor is no positive number, or none is known for an array of this name.
        """
        if isinstance(weight_by, str):
            if weight_by not in FLOORS:
                raise InvalidInput(
                    f"weight_by='{weight_by}' needs the standard deviation at which a weight is a half, as "
                    f"weight_by={{'{weight_by}': 0.02}}; only {', '.join(FLOORS)} have one by default"
                )
            return cls(weight_by, FLOORS[weight_by])
        given: Any = weight_by
        entries = list(given.items()) if isinstance(given, Mapping) else []
        if len(entries) != 1 or not isinstance(entries[0][0], str) or not _is_positive(entries[0][1]):
            raise InvalidInput(
                "weight_by should be the name of an array, or one name with a positive standard deviation such as "
                f"{{'wrist_pose': 0.02}}; got {weight_by!r}"
            )
        return cls(entries[0][0], float(entries[0][1]))

    @property
    def array(self) -> str:
        """The array that holds the standard deviations."""
        return f"{self.key}_sd"

    @staticmethod
    def check(spec: ArraySpec) -> None:
        """Make sure that an array can hold standard deviations.

        Args:
            spec: the array.

        Raises:
            InvalidInput: it holds whole numbers.
        """
        if spec.in_units != "float32":
            raise InvalidInput(f"array '{spec.name}' is {spec}, which are no standard deviations")

    def shape(self, spec: ArraySpec) -> tuple[int, ...]:
        """Shape of the weights of a frame.

        Args:
            spec: the array of the standard deviations.

        Returns:
            That of the array, without its last axis if that is x, y, z.
        """
        return spec.shape if self._counted(spec) is None else spec.shape[:-1]

    def put(self, spec: ArraySpec, deviations: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Put the weights into an array.

        Args:
            spec: the array of the standard deviations.
            deviations: `(..., *spec.shape)`, in units or as stored.
            out: float32 `(..., *shape(spec))`, to be filled.
        """
        if deviations.dtype != np.float32:
            deviations = from_stored(spec, deviations)
        counted = self._counted(spec)
        if counted is None:
            np.square(deviations, out=out)
        else:
            places = deviations[..., counted]
            np.einsum("...i,...i->...", places, places, out=out)
            out /= np.float32(places.shape[-1])
        square = np.float32(self.floor**2)
        out += square
        np.divide(square, out, out=out)
        np.copyto(out, 0, where=np.isnan(out))

    def _counted(self, spec: ArraySpec) -> slice | None:
        """Which numbers of the last axis are those of a place; None where there is no such axis."""
        if spec.dimensions[-1] not in ("xyz", "xyz_rotation"):
            return None
        return slice(0, 2 if self.key in _IN_THE_PICTURE else 3)


def _is_positive(number: Any) -> bool:
    return isinstance(number, int | float | np.number) and bool(0 < number < math.inf)
