"""Where a track's posture changes for good, or the track comes and goes: where segments may begin and end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.proposals.postures import RATE, Postures
from kinesphere.errors import needs_extra

Floats = NDArray[np.float64]

PENALTY = 0.05
"""What a change must explain, in seconds times squared units of a posture: `benchmarks.proposals` shows the choice."""
LEAST_SECONDS = 0.3
"""No segment is shorter."""
_PIECE = 600
"""Moments looked at together, a minute: where nothing changes for long, the time grows with their square."""
_MARGIN = 100
"""Moments on either side of a piece that are looked at too, so that its edges change nothing."""
PRESENCE_STRENGTH = 0.5
"""How sure an edge is where a hand or a body comes or goes: detectors lose them too."""


@dataclass(frozen=True)
class Edge:
    """Where a segment may begin or end."""

    moment: float
    """The first moment after it."""
    strength: float
    """At a change 0.5 where it is barely worth its price, towards 1 the more error it takes away."""
    border: str | None = None
    """What ends or begins there; None at a change of posture."""


def edges(track: Postures, *, penalty: float = PENALTY) -> list[list[Edge]]:
    """The edges in every stretch in which the track is there, with its two ends.

    Raises:
        MissingDependency: ruptures is not installed.
    """
    found: list[list[Edge]] = []
    turns = np.flatnonzero(np.diff(track.is_there, prepend=False, append=False)).tolist()
    for first, after in zip(turns[::2], turns[1::2], strict=True):
        begin = Edge(0, 1.0, "the beginning") if first == 0 else Edge(first, PRESENCE_STRENGTH, "coming into view")
        end = Edge(after, PRESENCE_STRENGTH, "going out of view")
        if after == len(track.values):
            end = Edge(after, 1.0, "the end")
        changes = change_points(track.values[first:after], penalty=penalty)
        found.append([begin, *(replace(change, moment=first + change.moment) for change in changes), end])
    return found


def change_points(values: Floats, *, penalty: float = PENALTY) -> list[Edge]:
    """The changes of `(moments, numbers)`, `postures.RATE` a second, in order of time. Nothing in it is random.

    Optimal segmentation with a linear kernel, by ruptures (Celisse et al., "New efficient algorithms for multiple
    change-point detection with reproducing kernels", 2018), pruned as in PELT (Killick et al., 2012). Memory and time
    grow with the length, as no more than a minute and its margins are looked at together.

    Raises:
        MissingDependency: ruptures is not installed.
    """
    with needs_extra("annotate"):
        from ruptures import KernelCPD
    shortest = round(LEAST_SECONDS * RATE)
    found: list[int] = []
    for start in range(0, len(values), _PIECE):
        first, after = max(start - _MARGIN, 0), min(start + _PIECE + _MARGIN, len(values))
        if after - first < 2 * shortest:
            continue
        search = KernelCPD(kernel="linear", min_size=shortest).fit(values[first:after])
        moments = (first + moment for moment in search.predict(pen=penalty * RATE)[:-1])
        found.extend(moment for moment in moments if start <= moment < start + _PIECE)
    found = _far_enough(found, shortest)
    errors = _Errors(values)
    bounds = [0, *found, len(values)]
    changes = []
    for before, moment, after in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True):
        gain = errors.between(before, after) - errors.between(before, moment) - errors.between(moment, after)
        changes.append(Edge(moment, gain / (gain + penalty * RATE) if gain > 0 else 0.0))
    return changes


def _far_enough(moments: list[int], shortest: int) -> list[int]:
    """Without those that come too soon after the one before, where two pieces meet."""
    spaced: list[int] = []
    for moment in moments:
        if not spaced or moment - spaced[-1] >= shortest:
            spaced.append(moment)
    return spaced


class _Errors:
    """Sums of squared distances from the mean over any interval."""

    def __init__(self, values: Floats) -> None:
        centred = values - values.mean(axis=0)
        self._sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(centred, axis=0)])
        self._squares = np.concatenate([[0.0], np.cumsum(np.square(centred).sum(axis=1))])

    def between(self, start: int, stop: int) -> float:
        """Of the moments `[start, stop)`."""
        total = self._sums[stop] - self._sums[start]
        return float(self._squares[stop] - self._squares[start] - total @ total / (stop - start))
