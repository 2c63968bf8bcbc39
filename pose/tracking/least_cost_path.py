"""The least costly course of something that is in one of a few states in every frame, and how clear it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Changes = Callable[[slice], Floats]
"""Costs (rows, states before, states after) of going on from each of some rows to the next one."""

BLOCK_ROWS = 512
"""Rows whose changes are in memory at a time."""
LONGEST_STEP = 0.1
"""s: a frame speaks for the time to the next, but not for a pause."""
FORGET_SECONDS = 0.3
"""How long a pause is after which what was there before tells little."""


def least_cost_path(costs: Floats, changes: Changes) -> tuple[NDArray[np.intp], Floats]:
    """Find the course of least total cost over a whole recording (Viterbi), and what any other would cost.

    Args:
        costs: (rows, states) of being in each state.
        changes: gives the costs of going on from rows, which are all but the last, to the rows after them.

    Returns:
        The state in each row (rows,), and the least cost (rows, states) of any course that is in a state in a row.
    """
    rows, states = costs.shape
    through = costs.copy()  # first only of the best course up to a row that ends in a state
    for block in _blocks(rows - 1):
        for row, change in zip(range(block.start, block.stop), changes(block), strict=True):
            through[row + 1] += (through[row][:, None] + change).min(axis=0)
    path = np.zeros(rows, np.intp)
    path[-1:] = through[-1:].argmin(axis=1)
    onward = np.zeros(states)  # of the best course from a state of a row on
    for block in reversed(_blocks(rows - 1)):
        of_block = changes(block)
        for row in range(block.stop - 1, block.start - 1, -1):
            change = of_block[row - block.start]
            path[row] = (through[row] + change[:, path[row + 1]]).argmin()
            onward = (change + (costs[row + 1] + onward)).min(axis=1)
            through[row] += onward
    return path, through


def durations(times: Floats) -> Floats:
    """The seconds that each of some frames speaks for.

    Args:
        times: (frames,) in seconds, increasing.

    Returns:
        (frames,): half the time from the frame before to the one after, at most `LONGEST_STEP`.
    """
    if len(times) < 2:
        return np.full(len(times), LONGEST_STEP)
    return np.asarray(np.clip(np.gradient(times), 0, LONGEST_STEP), np.float64)


def memory(times: Floats) -> Floats:
    """How much what was there in a frame still tells in the next one.

    Args:
        times: (frames,) in seconds, increasing.

    Returns:
        (frames - 1,): 1 where one follows the other, near 0 after a long pause.
    """
    pauses = np.maximum(np.diff(times) - LONGEST_STEP, 0)
    return np.asarray(np.exp(-pauses / FORGET_SECONDS), np.float64)


def _blocks(rows: int) -> list[slice]:
    return [slice(first, min(first + BLOCK_ROWS, rows)) for first in range(0, rows, BLOCK_ROWS)]
