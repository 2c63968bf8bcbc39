"""What a check is, and what it finds: the same for those built in and for a project's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.tasks.criteria import AtLeast, AtMost, Limit, unit_of

if TYPE_CHECKING:
    from annotate.checks.evidence import Evidence

TimeRange = tuple[int, int]
"""Half-open, int64 ns since the recording's first frame."""


@dataclass(frozen=True)
class Finding:
    """What a check measured: one value, how to say it to the contributor, and which times are concerned."""

    value: float
    """Finite, in the check's unit."""
    words: str
    """A clause such as "your hands are in view in 40% of the frames"; threshold and advice are added to it."""
    ranges: tuple[TimeRange, ...] = ()
    """When it is worse than the threshold of doubt, in order."""


@dataclass(frozen=True)
class Check:
    """One automated check: a name, a direction, and a function from evidence to a finding."""

    name: str
    limit: type[AtLeast] | type[AtMost]
    """Whether the thresholds are lower or upper limits."""
    find: Callable[[Evidence, Limit], Finding | None]
    """Measures; None where the evidence does not hold what it needs. The limit is there to tell the ranges."""
    meaning: str
    """The definition of the value, for those who choose thresholds."""
    advice: str = ""
    """What the contributor can do about it."""
    unit: str = ""
    """Of value and thresholds."""

    @property
    def shown_unit(self) -> str:
        """The unit: for a built-in check the one of its criterion."""
        return self.unit or unit_of(self.name)


def ranges_of(bad: NDArray[np.bool_], starts_ns: NDArray[np.int64], end_ns: int) -> tuple[TimeRange, ...]:
    """The half-open time ranges covered by runs of bad items, each of which lasts until the next one starts."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    bounds = np.append(starts_ns, end_ns)
    return tuple((int(bounds[first]), int(bounds[after])) for first, after in edges.reshape(-1, 2))
