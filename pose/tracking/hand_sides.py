"""Which of the hands found in each frame are exchanged, over a whole recording: a hand stays the hand that it was.

A frame has a hand on the left, on the right or both; they are taken as they were found or the other way round, at most
one a side. The least costly course is the most likely one, of what the hand network says of each hand, of the wrist
that each is near to, and of how each goes on from where the hand of its side was last seen, however long ago. So hands
that cross or clap, leave the picture and come back, are named by all that is seen of them, before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import HANDS
from pose.landmarks import BODY_WRISTS, KNUCKLES, THUMB_TIP, VISIBLE, WRIST
from pose.tracking.least_cost_path import BLOCK_ROWS, FORGET_SECONDS, Floats, durations, least_cost_path, memory

NEVER = 1e9
"""Cost of what cannot be."""
EXCHANGED_COST = 0.3
"""A second: hands are found on the right side more often than not."""
WRIST_COST = 10.0
"""A second and hand length by which a hand is away from the wrist of the body that it would be at."""
FARTHEST = 2.0
"""Hand lengths beyond which one place is as wrong as another."""
ANEW_COST, BEGIN_COST, END_COST = 2.5, 3.0, 2.5
"""Of hands that are exchanged at the beginning or after a pause, that begin to be, and that no longer are."""
WITHOUT_BODY = 0.2
"""What the sides that hands were found on count where there is no body: they are only what the network said of them."""
STRANGE = 4.0
"""The most that it costs to be elsewhere a moment later: it may be no hand at all."""
COMES_ANEW = 1.5
"""Cost of a hand that was not there a moment ago."""
PLACES = (WRIST, THUMB_TIP, KNUCKLES[0], KNUCKLES[-1])
"""Landmarks that tell where a hand is, and, for two hands in one place, which is which by how they lie there."""
USUAL_JITTER, USUAL_SPEED = 0.08, 5.0
"""Hand lengths, and hand lengths a second, that a hand usually moves: 5 are about a metre."""

COURSES = 4
"""States: whether the last hand found on the left was the right one, + 2 if the last on the right was the left one."""
_LAST_LEFT: NDArray[np.bool_] = np.array([False, True, False, True], np.bool_)
_LAST_RIGHT: NDArray[np.bool_] = np.array([False, False, True, True])


@dataclass(frozen=True)
class _Seen:
    """The frames with hands; NaN where there is none."""

    times: Floats
    there: NDArray[np.bool_]
    """(rows, 2)"""
    places: NDArray[np.float32]
    """(rows, 2, landmarks, 2): where in the picture the hands are and how they lie there, in pixels."""
    lengths: Floats
    """(rows, 2): of the hands, in pixels."""
    from_wrists: Floats
    """(rows,): how much farther, in hand lengths, the body's wrists are if the hands are exchanged."""
    last: NDArray[np.intp]
    """(rows, 2): the row before each in which a side last had a hand, or -1."""


def hand_sides(
    arrays: Mapping[str, NDArray[Any]],
    seconds: Floats,
    rows: NDArray[np.intp],
    for_right: Floats,
    size: tuple[int, int],
    trust: Floats | None,
) -> tuple[NDArray[np.bool_], Floats]:
    """Find in which frames with hands left and right are exchanged.

    Args:
        arrays: of a trajectory, whose body is as it should be.
        seconds: (frames,) time.
        rows: the frames with at least one hand.
        for_right: (frames, 2) what speaks for each hand being a right one rather than a left one, as a cost.
        size: width and height of the picture in pixels.
        trust: (frames,) how far the body is believed, 0 to 1; None takes no heed of it, nor of the sides that hands
            were found on.

    Returns:
        (rows,) where they are exchanged, and (rows,) how much more than that it would cost if they were not.
    """
    seen = _seen(arrays, seconds, rows, size)
    there = seen.there
    lasting = durations(seen.times)
    wrong = np.where(there, for_right[rows] * [1, -1], 0.0).sum(axis=1)
    as_found = at_wrists = np.zeros(len(rows))
    if trust is not None:
        as_found, at_wrists = WITHOUT_BODY + (1 - WITHOUT_BODY) * trust[rows], trust[rows]
    exchanged = (EXCHANGED_COST * as_found + WRIST_COST * at_wrists * seen.from_wrists) * lasting - wrong
    exchanged[0] += ANEW_COST * as_found[0]
    costs = _allowed(there) + np.where(_is_exchanged(there), exchanged[:, None], 0.0)
    path, through = least_cost_path(costs, lambda block: _changes(seen, block, as_found))
    flags = _is_exchanged(there)
    least = [np.where(chosen, through, NEVER).min(axis=1) for chosen in (flags, ~flags)]
    return flags[np.arange(len(rows)), path], np.abs(least[0] - least[1])


def _seen(arrays: Mapping[str, NDArray[Any]], seconds: Floats, rows: NDArray[np.intp], size: tuple[int, int]) -> _Seen:
    there = np.isfinite(arrays["hands_image"][rows, :, WRIST, 0])
    places = np.empty((len(rows), len(HANDS), len(PLACES), 2), np.float32)
    lengths, from_wrists = np.empty((len(rows), len(HANDS))), np.empty(len(rows))
    for first in range(0, len(rows), BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        image = arrays["hands_image"][rows[block], ..., :2] * np.array(size, np.float64)
        wrists = arrays["body_image"][rows[block]][:, BODY_WRISTS, :2] * np.array(size, np.float64)
        visible = arrays["body_visibility"][rows[block]][:, BODY_WRISTS].min(axis=1) >= VISIBLE
        places[block] = image[:, :, PLACES]
        lengths[block] = np.ptp(image, axis=2).max(axis=-1)
        away = np.linalg.norm(image[:, :, None, WRIST] - wrists[:, None], axis=-1) / lengths[block, :, None]
        away = np.where(visible[:, None, None] & np.isfinite(away), np.minimum(away, FARTHEST), 0.0)
        from_wrists[block] = (away[:, (0, 1), (1, 0)] - away[:, (0, 1), (0, 1)]).sum(axis=1)
    last = np.full(there.shape, -1, np.intp)
    numbers = np.arange(len(rows) - 1)[:, None]
    last[1:] = np.maximum.accumulate(np.where(there[:-1], numbers, -1), axis=0)
    return _Seen(seconds[rows], there, places, lengths, from_wrists, last)


def _allowed(there: NDArray[np.bool_]) -> Floats:
    """(rows, states): nothing, but two hands in a frame are exchanged with each other."""
    both = there[:, :1] & there[:, 1:]
    return np.where(both & (_LAST_LEFT != _LAST_RIGHT), NEVER, 0.0)


def _is_exchanged(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows, states): whether the hands of a row are exchanged."""
    return np.where(there[:, :1], _LAST_LEFT, _LAST_RIGHT)


def _changes(seen: _Seen, block: slice, as_found: Floats) -> Floats:
    """(rows, states, states): cost of the hands of the rows after a block's rows, by what the last ones were."""
    now = np.arange(block.start + 1, block.stop + 1)
    total = np.full((len(now), COURSES, COURSES), NEVER)
    recent = memory(seen.times[block.start : block.stop + 1])
    for before in range(COURSES):
        was = _LAST_LEFT[before], _LAST_RIGHT[before]
        for exchanged in (False, True):
            changed = np.where(seen.there[now - 1, 0], *was) != exchanged
            cost = recent * changed * (BEGIN_COST if exchanged else END_COST)
            cost += (1 - recent) * exchanged * ANEW_COST * as_found[now]
            for side in range(len(HANDS)):
                # A hand goes on from the last one on its side, or the last on the other if that was exchanged.
                candidates = [
                    np.where((was[other] == exchanged) == (other == side), seen.last[now, other], -1)
                    for other in (0, 1)
                ]
                cost += np.where(seen.there[now, side], _going_on(seen, now, side, candidates), 0.0)
            for left_there, right_there in ((True, True), (True, False), (False, True)):
                after = int(exchanged if left_there else was[0]) + 2 * int(exchanged if right_there else was[1])
                these = (seen.there[now, 0] == left_there) & (seen.there[now, 1] == right_there)
                total[these, before, after] = np.minimum(total[these, before, after], cost[these])
    return total


def _going_on(seen: _Seen, now: NDArray[np.intp], side: int, candidates: list[NDArray[np.intp]]) -> Floats:
    """(rows,): cost of a hand being where it is, after the later of the hands that it may have been."""
    side_before = np.where(candidates[1] > candidates[0], 1, 0)
    latest = np.maximum(candidates[0], candidates[1])
    before = np.where(latest < 0, now, latest)
    apart = seen.times[now] - seen.times[before]
    length = np.maximum(seen.lengths[now, side], seen.lengths[before, side_before])
    moved = np.linalg.norm(seen.places[now, side] - seen.places[before, side_before], axis=-1).mean(axis=-1) / length
    usual = USUAL_JITTER + USUAL_SPEED * apart
    cost = np.minimum((moved / usual) ** 2 / 2, STRANGE) + COMES_ANEW * (1 - np.exp(-apart / FORGET_SECONDS))
    return np.where(latest < 0, COMES_ANEW, cost)
