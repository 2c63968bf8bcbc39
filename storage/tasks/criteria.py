"""Criteria: the two thresholds of every automated check, and what is refused because it contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

Direction = Literal["at least", "at most"]


class Unit(StrEnum):
    """What a check's value and thresholds are counted in."""

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


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AtLeast(_Model):
    """A measured value should be at least `doubt`; below `fail` the recording is rejected."""

    doubt: float
    fail: float

    @model_validator(mode="after")
    def _ordered(self) -> AtLeast:
        if self.fail > self.doubt:
            raise ValueError(f"fail ({self.fail:g}) must not be above doubt ({self.doubt:g}) for a lower limit")
        return self


class AtMost(_Model):
    """A measured value should be at most `doubt`; above `fail` the recording is rejected."""

    doubt: float
    fail: float

    @model_validator(mode="after")
    def _ordered(self) -> AtMost:
        if self.fail < self.doubt:
            raise ValueError(f"fail ({self.fail:g}) must not be below doubt ({self.doubt:g}) for an upper limit")
        return self


Limit = AtLeast | AtMost


class PluginLimit(_Model):
    """The thresholds of a project's own check; whether they are lower or upper limits, the plugin says."""

    doubt: float
    fail: float

    def towards(self, direction: Direction) -> Limit:
        """The same as a limit of one direction.

        Raises:
            ValueError: the thresholds are the wrong way round for it.
        """
        try:
            return (AtLeast if direction == "at least" else AtMost)(doubt=self.doubt, fail=self.fail)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


PluginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]


class Criteria(_Model):
    """Thresholds of the automated checks; the names are the names of the checks."""

    duration_seconds: Annotated[AtLeast, Unit.SECONDS] = AtLeast(doubt=3, fail=1)
    length_mismatch_seconds: Annotated[AtMost, Unit.SECONDS] = AtMost(doubt=0.5, fail=5)
    frame_rate: Annotated[AtLeast, Unit.RATE] = AtLeast(doubt=20, fail=8)
    shorter_side_pixels: Annotated[AtLeast, Unit.PIXELS] = AtLeast(doubt=480, fail=96)
    longest_gap_seconds: Annotated[AtMost, Unit.SECONDS] = AtMost(doubt=0.5, fail=5)
    damaged_frames: Annotated[AtMost, Unit.FRAMES] = AtMost(doubt=0, fail=100)
    dropped_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.02, fail=0.5)
    late_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.1, fail=1)
    brightness: Annotated[AtLeast, Unit.LUMA] = AtLeast(doubt=40, fail=10)
    clipped_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.4, fail=0.9)
    sharpness: Annotated[AtLeast, Unit.NONE] = AtLeast(doubt=15, fail=0)
    blur: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.5, fail=1)
    frozen_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.1, fail=0.9)
    camera_shake: Annotated[AtMost, Unit.WIDTHS] = AtMost(doubt=0.01, fail=0.1)
    person_visible_share: Annotated[AtLeast, Unit.SHARE] = AtLeast(doubt=0.8, fail=0.05)
    person_longest_absence_seconds: Annotated[AtMost, Unit.SECONDS] = AtMost(doubt=5, fail=3600)
    upper_body_visible_share: Annotated[AtLeast, Unit.SHARE] = AtLeast(doubt=0.3, fail=0)
    upper_body_longest_absence_seconds: Annotated[AtMost, Unit.SECONDS] = AtMost(doubt=10, fail=3600)
    hands_visible_share: Annotated[AtLeast, Unit.SHARE] = AtLeast(doubt=0.3, fail=0)
    hands_longest_absence_seconds: Annotated[AtMost, Unit.SECONDS] = AtMost(doubt=10, fail=3600)
    other_people_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.3, fail=1)
    too_far: Annotated[AtLeast, Unit.WIDTHS] = AtLeast(doubt=0.03, fail=0)
    too_near: Annotated[AtMost, Unit.WIDTHS] = AtMost(doubt=0.6, fail=1)
    off_centre: Annotated[AtMost, Unit.WIDTHS] = AtMost(doubt=0.25, fail=0.5)
    head_cut_off_share: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.2, fail=1)
    wrist_speed: Annotated[AtLeast, Unit.SHOULDERS_A_SECOND] = AtLeast(doubt=0.03, fail=0)
    track_jitter: Annotated[AtMost, Unit.SHOULDERS] = AtMost(doubt=0.15, fail=1)
    consent_complete: Annotated[AtLeast, Unit.SHARE] = AtLeast(doubt=1, fail=1)
    duplicate: Annotated[AtMost, Unit.SHARE] = AtMost(doubt=0.2, fail=1)
    plugins: dict[PluginName, PluginLimit] = Field(default_factory=dict)
    """Those of a project's own checks, by the names of their entry points."""

    def limits(self) -> dict[str, Limit]:
        """The thresholds of the built-in checks, in the order in which they are judged."""
        return {name: getattr(self, name) for name in BUILT_IN}


BUILT_IN = tuple(name for name in Criteria.model_fields if name != "plugins")


def unit_of(check: str) -> Unit:
    """What a built-in check is counted in."""
    return next(mark for mark in Criteria.model_fields[check].metadata if isinstance(mark, Unit))


class Contradiction(Exception):
    """Criteria that nothing can meet, or that mean nothing."""

    def __init__(self, text: str, *criteria: tuple[str, ...]) -> None:
        super().__init__(text)
        self.criteria = criteria
        """Their places in the task, as keys."""


def refuse_contradictions(criteria: Criteria) -> None:
    """Look for thresholds outside what their unit can be, and for pairs that no recording can meet.

    This is no part of `Criteria` itself: tasks that an earlier release let in must stay readable.

    Raises:
        Contradiction: there is one; the first is told.
    """
    for name, limit in criteria.limits().items():
        _refuse_impossible(("criteria", name), limit, unit_of(name))
    for plugin, thresholds in criteria.plugins.items():
        _refuse_impossible(("criteria", "plugins", plugin), thresholds, None)
    for lower, upper in (("too_far", "too_near"),):
        least, most = getattr(criteria, lower), getattr(criteria, upper)
        for key in ("doubt", "fail"):
            if getattr(least, key) > getattr(most, key):
                raise Contradiction(
                    f"'criteria.{lower}' ({key} below {getattr(least, key):g}) contradicts 'criteria.{upper}' "
                    f"({key} above {getattr(most, key):g}): no recording can be between",
                    ("criteria", lower),
                    ("criteria", upper),
                )


def _refuse_impossible(place: tuple[str, ...], limit: Limit | PluginLimit, unit: Unit | None) -> None:
    for key, value in _thresholds(limit):
        where = ".".join(place)
        if unit is not None and value < 0:
            raise Contradiction(f"'{where}': {key} ({value:g}) must not be negative", (*place, key))
        highest = HIGHEST.get(unit) if unit is not None else None
        if highest is not None and value > highest:
            raise Contradiction(
                f"'{where}': {key} ({value:g}) must not be above {highest:g}; it is a {unit}", (*place, key)
            )


def _thresholds(limit: BaseModel) -> Iterator[tuple[str, Any]]:
    return ((key, getattr(limit, key)) for key in ("doubt", "fail"))
