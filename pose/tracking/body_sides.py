"""Which of a body's left and right are exchanged, over a whole recording: of all of it, its arms, its legs.

The network takes a back for a front for half a second, or for as long as somebody is turned away, and in side views the
near leg for the far one. Nobody turns round in a frame: what is odd about left and right (which changes its sign when
they are exchanged) goes on steadily in the true naming. The hand network says of each hand which one it is, without
knowing the body. A frame is in one of eight states, and the least costly course through them is the most likely one:
costs are negative logarithms of odds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS
from pose.landmarks import BODY_ELBOWS, BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS
from pose.tracking.least_cost_path import BLOCK_ROWS, Floats, durations, least_cost_path, memory

Flags = NDArray[np.bool_]
Numbers = NDArray[np.floating[Any]]

WHOLE, ARMS, LEGS = 1, 2, 4
"""Bits of a state: the body is exchanged, and its arms or legs are the other way round than it is."""
STATES = 8
EXCHANGED_COST = {WHOLE: 0.5, ARMS: 1.5, LEGS: 1.5}
"""A second: the network is right more often than not."""
ANEW_COST, BEGIN_COST, END_COST = 2.2, 3.5, 1.5
"""Of every bit that is set at the beginning or after a pause, that becomes set, and that no longer is. The first two
differ by the third: a stretch at the end of a recording is as likely as one at its beginning."""
TAIL = 2.0
"""How slowly costs grow with steps far beyond the usual, as with Student's t: networks that waver between two namings
give something between them."""
FASTEST_CHANGE = {WHOLE: 0.6, ARMS: 1.5, LEGS: 1.5}
"""m/s: how fast left usually moves against right; shoulders do 0.6 in half a turn in a second."""
LEAST_JITTER = 0.01
"""m: steps this small mean nothing."""
ACROSS = (0, 2)
"""Columns of the trunk that show how it turns: how wide shoulders and hips look."""
TURN_SECONDS = 0.25
"""Time before and after a frame over which it is seen whether a turn goes on."""
TURN_CHANGE = 0.3
"""m/s: by how much the speed of a turn usually changes from the one time to the other."""
TURNED_ASIDE = 0.12
"""m: shoulders and hips that look no wider; only then left and right may be exchanged without a jump."""
MOST_FROM_TURN = 5.0
"""The most that a turn which breaks off costs: people do turn back."""
NORMAL_QUARTILE = 0.6745


def _pair(name: str) -> tuple[int, int]:
    return BODY_LANDMARKS.index(f"left_{name}"), BODY_LANDMARKS.index(f"right_{name}")


KNEES, ANKLES, EARS = _pair("knee"), _pair("ankle"), _pair("ear")
NOSE = BODY_LANDMARKS.index("nose")


def body_sides(
    arrays: Mapping[str, NDArray[Any]], seconds: Floats, rows: NDArray[np.intp], for_right: Floats
) -> tuple[NDArray[np.intp], Floats]:
    """Find what is exchanged in the frames with a body.

    Args:
        arrays: of a trajectory, as the networks gave them.
        seconds: (frames,) time.
        rows: the frames with a body.
        for_right: (frames, 2) what speaks for the hand at the left and the right wrist being a right one rather than a
            left one, as a cost; 0 where there is none.

    Returns:
        (rows,) states, and (rows,) how much more than that it would cost if trunk or arms were the other way round.
    """
    times = seconds[rows]
    odd, sure = _odd_numbers(arrays, rows)
    costs = _costs_of_states(times, for_right[rows])
    steps = {bit: _steps(odd[bit], sure[bit], np.diff(times), FASTEST_CHANGE[bit]) for bit in odd}
    path, _ = _cheapest(costs, steps, times)
    # Once nothing jumps it can be seen whether whoever turned to the side went on turning.
    turn = np.where(_bit(path, WHOLE), -1.0, 1.0)[:, None] * odd[WHOLE][:, ACROSS]
    if len(rows) > 1:
        steps[WHOLE] += _turns(turn, times, _bit(path, WHOLE))
    path, through = _cheapest(costs, steps, times)
    states = np.arange(STATES)
    margins = [_margin(through, _bit(states, WHOLE)), _margin(through, _arms(states))]
    return path, np.min(margins, axis=0)


def _odd_numbers(
    arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.intp]
) -> tuple[dict[int, Numbers], dict[int, Numbers]]:
    """(rows, columns) by bit: what changes its sign when it is exchanged, in metres, and how well that is seen."""
    blocks = [rows[first : first + BLOCK_ROWS] for first in range(0, len(rows), BLOCK_ROWS)]
    odd: dict[int, list[Numbers]] = {WHOLE: [], ARMS: [], LEGS: []}
    sure: dict[int, list[Numbers]] = {WHOLE: [], ARMS: [], LEGS: []}
    for block in blocks:
        world, seen = arrays["body_world"][block].astype(np.float64), arrays["body_visibility"][block]
        odd[WHOLE].append(_trunk(world))
        sure[WHOLE].append(np.ones((len(block), 1)))
        for bit, pairs in ((ARMS, (BODY_ELBOWS, BODY_WRISTS)), (LEGS, (KNEES, ANKLES))):
            odd[bit].append(_limbs(world, *pairs))
            sure[bit].append(_seen(seen, *pairs))
    together = [{bit: np.concatenate(of, dtype=np.float32) for bit, of in each.items()} for each in (odd, sure)]
    return together[0], together[1]


def _trunk(world: Floats) -> Floats:
    """(rows, 6): what changes its sign when a back is taken for a front: shoulders, hips, ears, the nose's depth."""
    x, y, z = np.moveaxis(world, -1, 0)
    columns = [a[:, left] - a[:, right] for left, right in (BODY_SHOULDERS, BODY_HIPS) for a in (x, y)]
    columns += [x[:, EARS[0]] - x[:, EARS[1]]]
    columns += [z[:, NOSE] - z[:, EARS].mean(axis=1)]
    return np.stack(columns, axis=1)


def _limbs(world: Floats, *pairs: tuple[int, int]) -> Floats:
    """(rows, 2 * pairs): from the right joint of each pair to the left one, as the camera sees them."""
    apart = [world[:, left, :2] - world[:, right, :2] for left, right in pairs]
    return np.concatenate(apart, axis=1)


def _seen(visibility: NDArray[np.float32], *pairs: tuple[int, int]) -> Floats:
    """(rows, 2 * pairs): how well the worse seen joint of each pair is seen."""
    worse = [np.minimum(visibility[:, left], visibility[:, right]) for left, right in pairs]
    return np.repeat(np.stack(worse, axis=1), 2, axis=1).astype(np.float64)


def _costs_of_states(times: Floats, for_right: Floats) -> Floats:
    """(rows, states): of being exchanged, and of hands that say otherwise."""
    states = np.arange(STATES)
    wrong = for_right[:, 0] - for_right[:, 1]  # the left one is a right one, or the right one a left one
    costs = np.maximum(wrong, 0)[:, None] * ~_arms(states) + np.maximum(-wrong, 0)[:, None] * _arms(states)
    lasting = durations(times)
    for bit, cost in EXCHANGED_COST.items():
        costs += cost * lasting[:, None] * _bit(states, bit)
        costs[:1] += ANEW_COST * _bit(states, bit)
    return np.asarray(costs, np.float64)


def _steps(odd: Numbers, sure: Numbers, apart: Floats, fastest: float) -> Floats:
    """(rows - 1, 2): cost of going on as it is, and of being exchanged from one row to the next."""
    jitter = np.zeros(odd.shape[1])
    if len(odd) > 2:
        jitter = np.median(np.abs(np.diff(odd, 2, axis=0)), axis=0) / NORMAL_QUARTILE / np.sqrt(6)
    usual = np.maximum(jitter, LEAST_JITTER) * np.sqrt(2) + fastest * apart[:, None]
    weight = np.minimum(sure[1:], sure[:-1]) / 2  # they are not independent of each other
    return np.stack(
        [
            (weight * TAIL * np.log1p((change / usual) ** 2 / 2 / TAIL)).sum(axis=1)
            for change in (odd[1:] - odd[:-1], odd[1:] + odd[:-1])
        ],
        axis=1,
    )


def _turns(odd: Numbers, times: Floats, exchanged: Flags) -> Floats:
    """(rows - 1, 2): cost of a turn that goes on as it is, and of one that would go on if the next row were exchanged.

    Args:
        odd: what has no jumps any more.
        exchanged: where it was exchanged for that.
    """
    before, after = _speeds(odd, times, -1), _speeds(odd, times, 1)
    on, back = (
        ((change / TURN_CHANGE) ** 2 / 2).mean(axis=1) for change in (after[1:] - before[:-1], after[1:] + before[:-1])
    )
    aside = np.maximum(np.abs(odd[1:]), np.abs(odd[:-1])).max(axis=1) < TURNED_ASIDE
    broken = np.where(aside, np.maximum(on - back, 0), 0)
    # It breaks off in one frame, not in all those about it whose times before and after have that one in them.
    reach = round(TURN_SECONDS / max(float(np.median(np.diff(times))), TURN_SECONDS / 100))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(broken, reach), 2 * reach + 1)
    cost = np.where(around.argmax(axis=1) == reach, np.minimum(broken, MOST_FROM_TURN), 0.0)
    as_found = exchanged[1:] == exchanged[:-1]
    return np.stack([np.where(as_found, cost, 0.0), np.where(as_found, 0.0, cost)], axis=1)


def _speeds(odd: Numbers, times: Floats, direction: int) -> Floats:
    """(rows, columns): slope of a line through the rows of a short time before (-1) or after (1) each row."""
    sums = [np.zeros((len(times) + 1, odd.shape[1])) for _ in range(4)]
    moments = (times - times[:1])[:, None] if len(times) else times[:, None]
    for total, values in zip(
        sums, (np.ones_like(odd) * moments, odd, moments**2 + 0 * odd, moments * odd), strict=True
    ):
        total[1:] = np.cumsum(values, axis=0)
    here = np.arange(len(times))
    if direction < 0:
        first, last = np.searchsorted(times, times - TURN_SECONDS), here + 1
    else:
        first, last = here, np.searchsorted(times, times + TURN_SECONDS, side="right")
    count = (last - first)[:, None]
    t, v, tt, tv = (total[last] - total[first] for total in sums)
    spread = tt - t * t / count
    slope = (tv - t * v / count) / np.maximum(spread, 1e-6)
    return np.where(count > 2, slope, 0.0)


def _cheapest(costs: Floats, steps: Mapping[int, Floats], times: Floats) -> tuple[NDArray[np.intp], Floats]:
    states = np.arange(STATES)
    named = {WHOLE: _bit(states, WHOLE), ARMS: _arms(states), LEGS: _bit(states, WHOLE) ^ _bit(states, LEGS)}
    differs = {bit: (flags[:, None] != flags[None, :]).astype(np.float64) for bit, flags in named.items()}
    before, after = np.meshgrid(states, states, indexing="ij")
    change, anew = np.zeros((2, STATES, STATES))
    for bit in named:
        was, is_ = _bit(before, bit), _bit(after, bit)
        change += BEGIN_COST * (is_ & ~was) + END_COST * (was & ~is_)
        anew += ANEW_COST * is_
    recent = memory(times)[:, None, None]

    def changes(block: slice) -> Floats:
        total: Floats = recent[block] * change + (1 - recent[block]) * anew
        for bit, matrix in differs.items():
            on, exchanged = steps[bit][block].T
            total += on[:, None, None] + (exchanged - on)[:, None, None] * matrix
        return total

    return least_cost_path(costs, changes)


def _margin(through: Floats, flags: Flags) -> Floats:
    return np.asarray(np.abs(through[:, flags].min(axis=1) - through[:, ~flags].min(axis=1)), np.float64)


def _bit(states: NDArray[np.intp], bit: int) -> Flags:
    return np.asarray(states & bit > 0, np.bool_)


def _arms(states: NDArray[np.intp]) -> Flags:
    return _bit(states, WHOLE) ^ _bit(states, ARMS)
