"""What a check is, what it finds, and how that is judged: the same for those built in and for a project's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence, LiveView
from annotate.checks.limits import Direction, Limit
from storage.catalog import CheckRecord

TimeRange = tuple[int, int]
"""Half-open, int64 ns since the recording's first frame."""
_FINDING_AND_ADVICE = re.compile(r"(.* \(should be at (?:least|most) [^()]*\)): (.*)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """What a check measured: one value, how to say it to the contributor, and which times are concerned."""

    value: float
    """Finite, in the check's unit."""
    words: str
    """A clause such as "your hands are in view in 40% of the frames"; threshold and advice are added to it."""
    ranges: tuple[TimeRange, ...] = ()
    """When it is worse than the threshold of doubt, in order."""


class Needs(IntEnum):
    """What a check looks at; where that is not known, it is not asked. Checks are judged in this order."""

    FOOTAGE = 0
    """The video alone: it can be judged right after a take."""
    TRAJECTORY = 1
    DESCRIPTION = 2
    """The recording's description and its task."""
    OTHER_RECORDINGS = 3
    """All of them: it is measured after the others, where the catalog is, and not by its `find`."""

    def are_met(self, evidence: Evidence) -> bool:
        """Whether the evidence holds it."""
        return {
            Needs.FOOTAGE: True,
            Needs.TRAJECTORY: evidence.trajectory is not None,
            Needs.DESCRIPTION: evidence.recording is not None and evidence.task is not None,
            Needs.OTHER_RECORDINGS: False,
        }[self]


@dataclass(frozen=True)
class Check:
    """One automated check: all that is known of it, from its thresholds to what the contributor is told."""

    name: str
    """As `[criteria]` and `[feedback]` of a task name it."""
    direction: Direction
    """Whether its thresholds are lower limits ("at least") or upper ones ("at most")."""
    find: Callable[[Evidence, Limit], Finding | None]
    """Measures; None where there is nothing to measure. The limit is there to tell the ranges."""
    meaning: str
    """The definition of the value, for those who choose thresholds."""
    advice: str = ""
    """What the contributor can do about it: a clause without a capital or a full stop."""
    unit: str = ""
    """Of value and thresholds; see `Unit` for those that are known."""
    doubt: float | None = None
    """The threshold of doubt where a task sets none. Plugins have no such defaults: a task sets theirs."""
    fail: float | None = None
    """The same beyond which a recording is rejected."""
    needs: Needs = Needs.FOOTAGE
    live: Callable[[LiveView, Limit], str | None] | None = None
    """What is wrong already in the picture before a take, as a sentence without its full stop; None if nothing is."""
    upper: str = ""
    """The check that limits the same value from above, if this one does from below."""

    @property
    def default(self) -> Limit:
        """Direction and default thresholds of a built-in check.

        Raises:
            ValueError: it has none, as plugins, or they are the wrong way round.
        """
        if self.doubt is None or self.fail is None:
            raise ValueError(f"the check '{self.name}' has no default thresholds")
        return Limit(self.direction, float(self.doubt), float(self.fail))

    @property
    def feedback(self) -> str:
        """The advice as a sentence."""
        return sentence(self.advice)


def judge(name: str, limit: Limit, finding: Finding, advice: str = "") -> CheckRecord:
    """Hold a finding against its two thresholds: it becomes the result of a check."""
    verdict = limit.verdict(finding.value)
    if verdict == "pass":
        return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, finding.words)
    message = f"{finding.words} (should be {limit.direction} {limit.doubt:g})" + (f": {advice}" if advice else "")
    return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, message, finding.ranges)


def finding_and_advice(message: str) -> tuple[str, str]:
    """Take the message of a result apart.

    Args:
        message: of a `CheckRecord`.

    Returns:
        What was found, and the advice, which is empty where the message has none.
    """
    found = _FINDING_AND_ADVICE.fullmatch(message)
    return (found[1], found[2]) if found else (message, "")


def sentence(clause: str) -> str:
    """A clause as a sentence: with a capital and a full stop."""
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""


def ranges_of(bad: NDArray[np.bool_], starts_ns: NDArray[np.int64], end_ns: int) -> tuple[TimeRange, ...]:
    """The half-open time ranges covered by runs of bad items, each of which lasts until the next one starts."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    bounds = np.append(starts_ns, end_ns)
    return tuple((int(bounds[first]), int(bounds[after])) for first, after in edges.reshape(-1, 2))
