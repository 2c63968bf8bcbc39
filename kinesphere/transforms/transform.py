"""What a transform is: a function that takes a batch of `Dataset.stream` and gives the one to hand over.

Those in this folder, one a file, take float32 batches and change none of their arrays. They can be pickled, have no
state, and name the arrays of the stream that they need in `keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

Batch = dict[str, NDArray[Any]]
"""Arrays by key, one row a window; see `Dataset.stream`."""
Transform = Callable[[Batch], Batch]
"""Changes a batch when it is ready. Names of keys that it needs may stand in an attribute `keys`."""


def checked_transforms(
    transform: Transform | Sequence[Transform] | None, keys: Sequence[str] | None
) -> tuple[Transform, ...]:
    """Return transforms as a tuple.

    Args:
        transform: one, several to be applied in turn, or None.
        keys: what is streamed; None where that is not known yet.

    Returns:
        All of them, in their order.

    Raises:
        InvalidInput: one cannot be called, or needs keys that are not streamed.
    """
    transforms = (() if transform is None else (transform,)) if not isinstance(transform, list | tuple) else transform
    for each in transforms:
        name = getattr(each, "__name__", type(each).__name__)
        if not callable(each):
            raise InvalidInput(f"a transform is a function of a batch, or a list of such; got {each!r}")
        if keys is None:
            continue
        missing = [key for key in getattr(each, "keys", ()) if key not in (*keys, "mask", "episode", "frame")]
        if missing:
            raise InvalidInput(f"transform {name} needs {', '.join(missing)}: add it to keys={list(keys)}")
    return tuple(transforms)


def check_arrays(batch: Batch, names: Sequence[str], transform: str) -> None:
    """Make sure that a batch has what a transform works on.

    Args:
        batch: the batch.
        names: arrays that it should have, all but "valid" as float32.
        transform: the transform's name, for the error.

    Raises:
        InvalidInput: an array is not in the batch, or not as float32 in its units.
    """
    missing = [name for name in names if name not in batch]
    if missing:
        raise InvalidInput(f"{transform} needs {', '.join(missing)}; stream with keys=[...] that have it")
    stored: list[Any] = [name for name in names if name != "valid" and batch[name].dtype != np.float32]
    if stored:
        raise InvalidInput(f"{transform} needs {', '.join(stored)} as float32; stream with dtype='float32'")
