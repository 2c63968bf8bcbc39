"""Memory of batches, used again once nobody holds the batch: fresh memory costs more than the windows cut into it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

REUSED_BATCHES = 3
"""How many batches are kept to be used again: the one you hold, the one before, and the one being made."""


def _references(arrays: list[NDArray[Any]], place: int) -> int:
    return sys.getrefcount(arrays[place])


_UNUSED = _references([np.empty(0)], 0)
"""References to an array that only a list holds, counted as they are counted below: releases of Python differ."""


class BatchMemory:
    """Gives arrays whose content does not matter. An array that anyone still holds, or has a view of, is left alone."""

    def __init__(self) -> None:
        self._arrays: dict[str, list[NDArray[Any]]] = {}

    @staticmethod
    def memory_bound_bytes(batch_bytes: int) -> int:
        """The most memory that batches take: those to be used again, and one more at the end of an epoch.

        Args:
            batch_bytes: what one batch takes.

        Returns:
            Bytes.
        """
        return (REUSED_BATCHES + 1) * batch_bytes

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array whose content does not matter, of memory given under the same name before if that is free.

        Args:
            name: of what it will hold.
            shape: its shape.
            dtype: its type.

        Returns:
            An array that nobody else can see.
        """
        arrays = self._arrays.setdefault(name, [])
        for place in range(len(arrays)):
            if _references(arrays, place) == _UNUSED and arrays[place].shape == shape and arrays[place].dtype == dtype:
                return arrays[place]
        made = np.empty(shape, dtype)
        arrays.append(made)
        del arrays[:-REUSED_BATCHES]
        return made
