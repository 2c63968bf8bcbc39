"""Memory of batches, used again once nobody holds the batch: fresh memory costs more than the windows cut into it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

HELD_BATCHES = 3
"""How many batches are kept to be used again: the one you hold, the one before, and the one being made."""


def _references(held: list[NDArray[Any]], place: int) -> int:
    return sys.getrefcount(held[place])


_OURS_ALONE = _references([np.empty(0)], 0)
"""References to an array that only a list holds, counted as they are counted below: releases of Python differ."""


class BatchMemory:
    """Gives arrays whose content does not matter. An array that anyone still holds, or has a view of, is left alone."""

    def __init__(self) -> None:
        self._held: dict[str, list[NDArray[Any]]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array of this shape, of memory given under the same name before if that is free."""
        held = self._held.setdefault(name, [])
        for place in range(len(held)):
            if _references(held, place) == _OURS_ALONE and held[place].shape == shape and held[place].dtype == dtype:
                return held[place]
        made = np.empty(shape, dtype)
        held.append(made)
        del held[:-HELD_BATCHES]
        return made
