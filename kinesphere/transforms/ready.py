"""Ready transforms of batches: relative actions, normalising, mirroring, and leaving out what was not found.

Each is a callable that takes a batch of `Dataset.stream` (float32) and gives another, changing none of its arrays. It
can be pickled, has no state, and names the arrays of the stream that it needs in `keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ARRAYS, Valid
from kinesphere.transforms.mirroring import Mirror
from kinesphere.transforms.motion import relative_actions

if TYPE_CHECKING:
    from kinesphere.statistics.statistics import Statistics
    from kinesphere.streaming.batches import Batch

__all__ = ["DropInvalid", "Method", "Mirror", "Normalize", "RelativeActions"]

Method = Literal["mean_std", "quantile", "min_max"]

_ROTATION = {"wrist_pose": slice(3, 7), "action": slice(3, 9)}
"""The numbers of the last axis that are a rotation and are never normalised."""


@dataclass(frozen=True)
class RelativeActions:
    """Adds "action": where each wrist will be, seen from where it is; see `relative_actions`.

    float32 `[B, T, horizon, 2, 9]`, NaN where either frame is missing or past the end of the window; `horizon=1` gives
    next-step actions. Let windows be longer by the horizon than what is learned from.

    Raises:
        InvalidInput: the horizon is no positive number, or a batch has no wrist_pose.
    """

    horizon: int
    keys: tuple[str, ...] = field(default=("wrist_pose",), init=False)

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise InvalidInput(f"horizon should be at least 1, got {self.horizon}")

    def __call__(self, batch: Batch) -> Batch:
        """The batch with "action"."""
        _check_there(batch, self.keys, "RelativeActions")
        return batch | {"action": relative_actions(batch["wrist_pose"], self.horizon)}


@dataclass(frozen=True)
class Normalize:
    """Brings every number to about -1 to 1, each by its own statistics; NaN stays NaN.

    * "mean_std": mean 0 and standard deviation 1.
    * "quantile": the 1st percentile becomes -1 and the 99th 1, what lies beyond is beyond; as openpi normalises for
      pi0-FAST and pi0.5 (Physical-Intelligence/openpi, `transforms.py`), and LeRobot with QUANTILES.
    * "min_max": the least value becomes -1 and the greatest 1.

    A number that is the same in all frames becomes 0, and one without statistics stays as it is. Rotations stay as
    they are: the quaternions of "wrist_pose" and the six numbers of "action" are within -1 to 1 already, and would be
    no rotations any more if each number had a scale of its own. So does UMI (`UmiDataset.get_normalizer`).

    Raises:
        InvalidInput: the statistics have no such array, or a batch has not.
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
        unknown = sorted(set(self.arrays) - set(self.statistics.arrays))
        if unknown:
            raise InvalidInput(f"there are no statistics of {unknown}; there are of {sorted(self.statistics.arrays)}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of them that the stream has to have; "action" comes from another transform."""
        return tuple(name for name in self.arrays if name in ARRAYS)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its numbers normalised."""
        _check_there(batch, self.arrays, "Normalize")
        return batch | {
            name: ((batch[name] - centre) / scale).astype(np.float32)
            for name, (centre, scale) in self._centre_and_scale.items()
        }

    def inverse(self, batch: Batch) -> Batch:
        """The batch with its numbers back in their units, e.g. what a policy gave; arrays it has not are passed over.

        Raises:
            InvalidInput: the batch has none of the arrays.
        """
        there = {name: pair for name, pair in self._centre_and_scale.items() if name in batch}
        if not there:
            raise InvalidInput(f"there is nothing to bring back: the batch has none of {', '.join(self.arrays)}")
        return batch | {
            name: (batch[name] * scale + centre).astype(np.float32) for name, (centre, scale) in there.items()
        }

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
            left_alone = np.isnan(centre)
            if name in _ROTATION:
                left_alone[..., _ROTATION[name]] = True
            centre[left_alone], scale[left_alone] = 0, 1
            found[name] = centre, scale
        return found


@dataclass(frozen=True)
class DropInvalid:
    """Leaves out frames in which something was not found, and windows with too few others.

    In a frame that lacks one of `bits`, `mask` becomes False and float arrays NaN; `timestamp`, `valid` and video stay.
    A window stays in the batch if at least the share `least` of its frames (padding aside) has all the bits, so B
    shrinks, to 0 perhaps.

    Raises:
        InvalidInput: there is no bit, the share is not from 0 to 1, or a batch has no `valid`.
    """

    bits: Valid
    least: float = 1.0
    keys: tuple[str, ...] = field(default=("valid",), init=False)

    def __post_init__(self) -> None:
        if not 0 < int(self.bits) < 256:
            raise InvalidInput(f"bits should be some of {', '.join(str(flag.name) for flag in Valid)}")
        if not 0 <= self.least <= 1:
            raise InvalidInput(f"least should be a share from 0 to 1, got {self.least}")

    def __call__(self, batch: Batch) -> Batch:
        """The windows that stay."""
        _check_there(batch, self.keys, "DropInvalid")
        mask = batch["mask"]
        found = mask & ((batch["valid"] & int(self.bits)) == int(self.bits))
        stay = found.sum(axis=1) / np.maximum(mask.sum(axis=1), 1) >= self.least
        kept = {name: values[stay] for name, values in batch.items()}  # by a mask: copies
        kept["mask"] = found[stay]
        for values in kept.values():
            if values.dtype == np.float32:
                values[~kept["mask"]] = np.nan
        return kept


def _check_there(batch: Batch, names: Sequence[str], transform: str) -> None:
    """
    Raises:
        InvalidInput: an array is not in the batch, or not as float32 in its units.
    """
    missing = [name for name in names if name not in batch]
    if missing:
        raise InvalidInput(f"{transform} needs {', '.join(missing)}; stream with keys=[...] that have it")
    stored: list[Any] = [name for name in names if name != "valid" and batch[name].dtype != np.float32]
    if stored:
        raise InvalidInput(f"{transform} needs {', '.join(stored)} as float32; stream with dtype='float32'")
