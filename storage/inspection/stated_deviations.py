"""Looks at the standard deviations in a shard: they are there for the numbers that are there, and for no others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinesphere.shards.shard import Shard
from kinesphere.trajectory import from_stored

_SD = "_sd"
_BLOCK_FRAMES = 4096


def deviations_amiss(shard: Shard) -> list[str]:
    """What is wrong with the standard deviations of a shard. That they are positive, their log scale sees to.

    Args:
        shard: opened, and not damaged.

    Returns:
        A sentence for each array that lacks some, or has them for numbers that are missing.

    Raises:
        CorruptObject: an object of the shard is missing or damaged.
    """
    found = []
    for name, spec in shard.specs.items():
        of = name.removesuffix(_SD)
        if spec.log_scale is None or of == name or of not in shard.specs:
            continue
        lacking = beyond = 0
        for first in range(0, shard.frames, _BLOCK_FRAMES):
            stop = min(first + _BLOCK_FRAMES, shard.frames)
            stated = ~np.isnan(from_stored(spec, shard.read(name, first, stop)))
            there = _are_there(shard, of, first, stop, stated.shape)
            lacking += int(np.count_nonzero(there & ~stated))
            beyond += int(np.count_nonzero(stated & ~there))
        if lacking or beyond:
            found.append(
                f"array '{name}' has no standard deviation for {lacking:,} numbers of '{of}', and has one for "
                f"{beyond:,} that are missing; process its recordings again"
            )
    return found


def _are_there(shard: Shard, name: str, start: int, stop: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which numbers of an array are there, in the shape of their standard deviations."""
    there: NDArray[np.bool_] = ~np.isnan(from_stored(shard.specs[name], shard.read(name, start, stop)))
    if there.shape == shape:
        return there
    whole = there.all(axis=-1, keepdims=True)  # a rotation has four numbers, and three errors
    return np.asarray(np.broadcast_to(whole, shape), np.bool_)
