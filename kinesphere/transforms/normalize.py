"""Normalises the numbers of batches by the statistics of a version, and brings them back into their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.statistics.statistics import Statistics
from kinesphere.trajectory import ARRAYS
from kinesphere.transforms.rotations import NUMBERS
from kinesphere.transforms.transform import Batch, check_arrays

Method = Literal["mean_std", "quantile", "min_max"]

_SD = "_sd"
_ACTION_ROTATIONS = {3 + numbers + grip: slice(3, 3 + numbers) for numbers in NUMBERS.values() for grip in (0, 1)}
"""By how many numbers an action has, which of them are its rotation."""


def _rotation(name: str, numbers: int) -> slice:
    """The numbers of the last axis that are a rotation and are never normalised."""
    if name == "action":
        return _ACTION_ROTATIONS.get(numbers, slice(3, 9))
    return slice(3, 7) if name == "wrist_pose" else slice(0)


@dataclass(frozen=True)
class Normalize:
    """Brings every number to about -1 to 1, each by its own statistics; NaN stays NaN.

    * "mean_std": mean 0 and standard deviation 1.
    * "quantile": the 1st percentile becomes -1 and the 99th 1, what lies beyond is beyond; as openpi normalises for
      pi0-FAST and pi0.5 (Physical-Intelligence/openpi, `transforms.py`), and LeRobot with QUANTILES.
    * "min_max": the least value becomes -1 and the greatest 1.

    A number that is the same in all frames becomes 0, and one without statistics stays as it is. Rotations stay as
    they are: the quaternions of "wrist_pose" and the rotations of "action" are within -1 to 1 already, and would be
    no rotations any more if each number had a scale of its own. So does UMI (`UmiDataset.get_normalizer`).

    Where a batch has the standard deviations of an array (`wrist_pose_sd`), they are divided along with its numbers, so
    that they stay those of what the batch holds; they are not to be named. Weights stay as they are.

    Raises:
        InvalidInput: the statistics have no such array, or a batch has not; or standard deviations are named.
    """

    statistics: Statistics
    """Of `Dataset.statistics()`, or of `Dataset.action_statistics()` for "action"."""
    method: Method = "mean_std"
    arrays: tuple[str, ...] = field(kw_only=True)
    """What is normalised: names of arrays, or "action" after `RelativeActions`."""

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InvalidInput(f"method should be one of {', '.join(get_args(Method))}, got {self.method!r}")
        if not self.arrays:
            raise InvalidInput("arrays should be a tuple of names of arrays, got none")
        deviations = sorted(name for name in self.arrays if name.endswith(_SD) and name in ARRAYS)
        if deviations:
            raise InvalidInput(f"{deviations[0]} is divided along with {deviations[0].removesuffix(_SD)}; name that")
        unknown = sorted(set(self.arrays) - set(self.statistics.arrays))
        if unknown:
            raise InvalidInput(f"there are no statistics of {unknown}; there are of {sorted(self.statistics.arrays)}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of them that the stream has to have; "action" comes from another transform."""
        return self.arrays if self.statistics.horizon is None else ()

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its numbers normalised."""
        check_arrays(batch, self.arrays, "Normalize")
        deviations = self._deviation_scales(batch)
        check_arrays(batch, list(deviations), "Normalize")
        normalised = {
            name: ((batch[name] - centre) / scale).astype(np.float32)
            for name, (centre, scale) in self._centre_and_scale.items()
        }
        return batch | normalised | {name: (batch[name] / by).astype(np.float32) for name, by in deviations.items()}

    def inverse(self, batch: Batch) -> Batch:
        """The batch with its numbers back in their units, e.g. what a policy gave; arrays it has not are passed over.

        Args:
            batch: arrays by name, `(..., *shape)` of any number of axes before those of the array.

        Returns:
            A batch with the same names, the normalised arrays as float32 in their units.

        Raises:
            InvalidInput: the batch has none of the arrays.
        """
        there = {name: pair for name, pair in self._centre_and_scale.items() if name in batch}
        if not there:
            raise InvalidInput(f"there is nothing to bring back: the batch has none of {', '.join(self.arrays)}")
        inverse = {name: (batch[name] * scale + centre).astype(np.float32) for name, (centre, scale) in there.items()}
        deviations = self._deviation_scales(batch)
        return batch | inverse | {name: (batch[name] * by).astype(np.float32) for name, by in deviations.items()}

    def _deviation_scales(self, batch: Batch) -> dict[str, NDArray[np.float64]]:
        """By what the standard deviations in a batch are divided, by the names of their arrays."""
        found = {}
        for name, (_, scale) in self._centre_and_scale.items():
            if f"{name}{_SD}" in batch:
                # the turn between found and true has three numbers, and the rotation's scales are all 1
                found[f"{name}{_SD}"] = scale[..., :6] if name == "wrist_pose" else scale
        return found

    @cached_property
    def _centre_and_scale(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        found = {}
        for name in self.arrays:
            values = self.statistics.arrays[name]
            if self.method == "mean_std":
                centre, scale = values.mean.copy(), values.std.copy()
            else:
                is_quantile = self.method == "quantile"
                low = values.percentiles[1] if is_quantile else values.minimum
                high = values.percentiles[99] if is_quantile else values.maximum
                centre, scale = (low + high) / 2, (high - low) / 2
            scale[(scale == 0) | (values.minimum == values.maximum)] = 1
            unscaled = np.isnan(centre)
            if name in ("wrist_pose", "action"):
                unscaled[..., _rotation(name, unscaled.shape[-1])] = True
            centre[unscaled], scale[unscaled] = 0, 1
            found[name] = centre, scale
        return found
