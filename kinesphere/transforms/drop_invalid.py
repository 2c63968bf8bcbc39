"""Leaves out frames of batches in which something was not found, and windows with too many of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kinesphere.errors import InvalidInput
from kinesphere.streaming.frame_weights import WEIGHT
from kinesphere.trajectory import Valid
from kinesphere.transforms.transform import Batch, check_arrays


@dataclass(frozen=True)
class DropInvalid:
    """Leaves out frames in which something was not found, and windows with too few others.

    In a frame that lacks one of `bits`, `mask` becomes False, float arrays NaN and weights 0; `timestamp`, `valid` and
    video stay.
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
        check_arrays(batch, self.keys, "DropInvalid")
        mask = batch["mask"]
        found = mask & ((batch["valid"] & int(self.bits)) == int(self.bits))
        stay = found.sum(axis=1) / np.maximum(mask.sum(axis=1), 1) >= self.least
        chosen = {name: values[stay] for name, values in batch.items()}  # by a mask: copies
        chosen["mask"] = found[stay]
        for name, values in chosen.items():
            is_of_one_frame = name == "action" and values.ndim == 4
            if values.dtype == np.float32 and not is_of_one_frame:
                values[~chosen["mask"]] = 0 if name == WEIGHT else np.nan
        return chosen
