"""Limits: the two thresholds of a check with their direction and unit, and the verdict that they give on a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from storage.catalog import Verdict
from storage.tasks.criteria import Thresholds

Direction = Literal["at least", "at most"]


class Unit(StrEnum):
    """What the value and the thresholds of a check are counted in."""

    SECONDS = "s"
    RATE = "frames/s"
    PIXELS = "pixels"
    FRAMES = "frames"
    LUMA = "luma, 0 to 255"
    SHARE = "share, 0 to 1"
    WIDTHS = "picture widths"
    SHOULDERS = "shoulder widths"
    SHOULDERS_A_SECOND = "shoulder widths/s"
    NONE = "1"


HIGHEST = {Unit.SHARE: 1.0, Unit.LUMA: 255.0}
"""Above these no value of the unit can be; nor below 0, whatever the unit."""


@dataclass(frozen=True)
class Limit:
    """A value should be at least, or at most, `doubt`; one that is beyond `fail` too rejects the recording."""

    direction: Direction
    doubt: float
    fail: float

    def __post_init__(self) -> None:
        if self.beyond(self.doubt, self.fail):
            order, kind = ("above", "a lower") if self.direction == "at least" else ("below", "an upper")
            raise ValueError(f"fail ({self.fail:g}) must not be {order} doubt ({self.doubt:g}) for {kind} limit")

    @classmethod
    def of(cls, direction: Direction, thresholds: Thresholds) -> Limit:
        """The thresholds of a task as a limit of one direction.

        Args:
            direction: whether they are lower limits ("at least") or upper ones ("at most").
            thresholds: as the task has them.

        Returns:
            The limit.

        Raises:
            ValueError: they are the wrong way round for the direction.
        """
        return cls(direction, thresholds.doubt, thresholds.fail)

    @property
    def thresholds(self) -> Thresholds:
        """The same as a task has it, without the direction."""
        return Thresholds(doubt=self.doubt, fail=self.fail)

    def beyond(self, value: float, threshold: float) -> bool:
        """Whether a value is on the wrong side of a threshold."""
        return value < threshold if self.direction == "at least" else value > threshold

    def verdict(self, value: float) -> Verdict:
        """A value held against both thresholds."""
        return "fail" if self.beyond(value, self.fail) else "doubt" if self.beyond(value, self.doubt) else "pass"
