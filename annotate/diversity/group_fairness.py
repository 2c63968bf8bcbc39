"""Fair to everybody: what the recordings of each group of people get, and which groups get clearly less.

A person is what is drawn, not a frame: all frames of one person have the same body, room and camera. So each person
counts once, however much they recorded, and intervals are found by drawing people again and again (bootstrap; B. Efron,
"Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotate.diversity.diversity import NOT_DECLARED, Breakdown, DiversityReport, Group, groups_to_hide
from annotate.diversity.received_quality import ContributorQuality, VersionQuality

MOST_RATIO = 1.3
"""A group gets clearly less if its number is worse than the best group's by more than this factor."""
LEAST_DIFFERENCE = 0.02
"""And, of shares, by more than this: of two tiny shares one is soon twice the other."""
FEWEST_PEOPLE = 5
"""Of whom an interval says something."""
DRAWS = 1000
COVERED = 0.9
"""Of the intervals."""

_SEED = 20261129
_NUMBERS_AT_A_TIME = 2**21


@dataclass(frozen=True)
class Measure:
    """One number that groups are compared by: a share of frames, or metres."""

    heading: str
    words: str
    """What a group that gets less of it gets, after "get"."""
    is_share: bool = True
    more_is_better: bool = True


MEASURES: Mapping[str, Measure] = {
    "body": Measure("body found", "a body found in fewer frames"),
    "left_hand": Measure("left hand", "the left hand found in fewer frames"),
    "right_hand": Measure("right hand", "the right hand found in fewer frames"),
    "unsure": Measure("unsure", "more frames that may be of somebody else", more_is_better=False),
    "wrist_sd": Measure("wrist uncertain by", "less certain wrists", is_share=False, more_is_better=False),
}
"""By the names of their fields in `ContributorQuality`."""


@dataclass(frozen=True)
class GroupNumber:
    """What the people of a group get: the mean of their shares, the median of their uncertainties."""

    value: float | None
    """None where it was not measured, or is not shown."""
    low: float | None
    """Of the 90 % interval; None where there are too few people for one."""
    high: float | None
    people: int | None
    """Of how many it was measured; None where it is not shown, as they are too few."""


@dataclass(frozen=True)
class GroupFairness:
    """What one group gets."""

    name: str
    contributors: int | None
    """None where the group is not shown, as in the report on diversity."""
    hours: float | None
    numbers: Mapping[str, GroupNumber] = field(default_factory=dict)
    """By the names of `MEASURES`; empty where the group is not shown."""


@dataclass(frozen=True)
class Disadvantage:
    """A group whose number is clearly worse than that of the best group of its attribute."""

    attribute: str
    group: str
    best: str
    measure: str
    ratio: float | None
    """How many times worse: the uncertainties' ratio; of shares that of frames that have it or of those that lack it,
    whichever is larger. None where one of them is 0."""
    sentence: str


@dataclass(frozen=True)
class AttributeFairness:
    """The groups of one attribute, in the order of the report on diversity."""

    by: str
    groups: tuple[GroupFairness, ...]
    worse: tuple[Disadvantage, ...]
    compared: int
    """How many groups had enough people to be compared by something; below 2 nothing could be."""


@dataclass(frozen=True)
class FairnessReport:
    """What each group of contributors gets. It says what goes together, and not why."""

    by_attribute: tuple[AttributeFairness, ...]
    recordings: int
    recordings_in_all: int
    frames: int
    extractors: int
    hidden_below: int | None
    """Groups of fewer contributors are not shown; None where all are."""


def compare_groups(
    quality: VersionQuality, attributes: Mapping[str, Mapping[str, str]], report: DiversityReport
) -> FairnessReport:
    """Compare the groups that a report on diversity shows; what that hides is not shown here either.

    Args:
        quality: what each contributor's frames got.
        attributes: what contributors have declared, by contributor and attribute.
        report: on the same version, from `for_publication` unless for those who may know the contributors.

    Returns:
        What each group gets, with the groups that get clearly less.
    """
    return FairnessReport(
        by_attribute=tuple(
            _compared(breakdown, _groups_of(quality, attributes, breakdown), report.hidden_below or 0)
            for breakdown in report.by_attribute
        ),
        recordings=quality.recordings,
        recordings_in_all=quality.recordings_in_all,
        frames=quality.frames,
        extractors=quality.extractors,
        hidden_below=report.hidden_below,
    )


def interval(values: Sequence[float], is_share: bool) -> tuple[float, float] | None:
    """The 90 % interval of what a group gets, by drawing its people with replacement; the same people, the same result.

    Args:
        values: one a person.
        is_share: whether the group gets their mean, or else their median.

    Returns:
        Its ends; None of fewer than `FEWEST_PEOPLE`.
    """
    if len(values) < FEWEST_PEOPLE:
        return None
    own, random = np.sort(np.asarray(values, np.float64)), np.random.default_rng(_SEED)
    rows = max(1, _NUMBERS_AT_A_TIME // len(own))
    drawn = [
        _value(own[random.integers(0, len(own), (min(rows, DRAWS - done), len(own)))], is_share)
        for done in range(0, DRAWS, rows)
    ]
    low, high = np.quantile(np.concatenate(drawn), [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)


def _value(values: NDArray[np.float64], is_share: bool) -> NDArray[np.float64]:
    """Over the last axis."""
    return np.asarray(values.mean(axis=-1) if is_share else np.median(values, axis=-1))


def _groups_of(
    quality: VersionQuality, attributes: Mapping[str, Mapping[str, str]], breakdown: Breakdown
) -> dict[str, list[ContributorQuality]]:
    found: dict[str, list[ContributorQuality]] = {group.name: [] for group in breakdown.groups}
    for one in quality.people:
        found[attributes.get(one.contributor, {}).get(breakdown.by, NOT_DECLARED)].append(one)
    return found


def _compared(
    breakdown: Breakdown, people: Mapping[str, Sequence[ContributorQuality]], smallest: int
) -> AttributeFairness:
    rows_hidden = {group.name for group in breakdown.groups if not group.is_shown}
    numbers = {name: _numbers(name, people, rows_hidden, smallest) for name in MEASURES}
    groups = tuple(_group(group, numbers) for group in breakdown.groups)
    declared = [group for group in groups if group.name != NOT_DECLARED]
    sure = {group.name for group in declared if any(number.low is not None for number in group.numbers.values())}
    worse = [one for name in MEASURES for one in _worse(breakdown.by, name, declared)]
    return AttributeFairness(breakdown.by, groups, tuple(worse), len(sure))


def _group(group: Group, numbers: Mapping[str, Mapping[str, GroupNumber]]) -> GroupFairness:
    if not group.is_shown:
        return GroupFairness(group.name, None, None)
    own = {measure: by_group[group.name] for measure, by_group in numbers.items()}
    return GroupFairness(group.name, group.contributors, group.hours, own)


def _numbers(
    measure: str, people: Mapping[str, Sequence[ContributorQuality]], rows_hidden: Collection[str], smallest: int
) -> dict[str, GroupNumber]:
    """What every group gets by one measure. It may be measured of fewer people than a group has."""
    is_share = MEASURES[measure].is_share
    values = {
        name: [value for one in own if (value := getattr(one, measure)) is not None] for name, own in people.items()
    }
    hidden = groups_to_hide({name: len(own) for name, own in values.items()}, smallest, rows_hidden)
    found = {}
    for name, own in values.items():
        if name in hidden or name in rows_hidden:
            found[name] = GroupNumber(None, None, None, None)
        elif not own:
            found[name] = GroupNumber(None, None, None, 0)
        else:
            low, high = interval(own, is_share) or (None, None)
            found[name] = GroupNumber(float(_value(np.array(own), is_share)), low, high, len(own))
    return found


def _worse(attribute: str, measure: str, groups: Sequence[GroupFairness]) -> list[Disadvantage]:
    """The groups that get clearly less than the best, in their order."""
    kind = MEASURES[measure]
    sign = -1 if kind.more_is_better else 1
    numbers = {
        group.name: (number.value, number.low, number.high)
        for group in groups
        if (number := group.numbers.get(measure)) is not None
        and number.value is not None and number.low is not None and number.high is not None
    }  # fmt: skip
    if len(numbers) < 2:
        return []
    best = min(numbers, key=lambda name: (sign * numbers[name][0], name))
    best_value, best_low, best_high = numbers[best]
    found = []
    for name, (value, low, high) in numbers.items():
        is_beyond = high < best_low if kind.more_is_better else low > best_high
        ratio = times_worse(value, best_value, kind)
        if not is_beyond or ratio <= MOST_RATIO or (kind.is_share and abs(value - best_value) <= LEAST_DIFFERENCE):
            continue
        sentence = (
            f"Contributors with {attribute} '{name}' get {kind.words} than those with '{best}': "
            f"{in_words(value, low, high, kind)} against {in_words(best_value, best_low, best_high, kind)}"
        )
        if not kind.is_share:
            sentence += f", {ratio:.1f} times as much"
        known = ratio if math.isfinite(ratio) else None
        found.append(Disadvantage(attribute, name, best, measure, known, f"{sentence}."))
    return found


def times_worse(value: float, best: float, kind: Measure) -> float:
    """How many times worse a number is than the best; infinite where one of them is 0.

    Args:
        value: of the group, at best as good.
        best: of the best group.
        kind: what was measured.

    Returns:
        At least 1. Of shares, the ratio of the frames that have it or of those that lack it, whichever is larger.
    """
    parts = [(value, best), (1 - value, 1 - best)] if kind.is_share else [(value, best)]
    return max(_ratio(*sorted(part)) for part in parts)


def _ratio(smaller: float, larger: float) -> float:
    if smaller == larger:
        return 1.0
    return larger / smaller if smaller > 0 else math.inf


def in_words(value: float, low: float | None, high: float | None, kind: Measure) -> str:
    """A number with its interval, for people.

    Args:
        value: a share, 0 to 1, or metres.
        low: of its interval; None where there is none.
        high: likewise.
        kind: what was measured.

    Returns:
        Such as "95.0% (93.1 to 96.8)" or "0.021 m (0.019 to 0.024)".
    """
    factor, unit, digits = (100, "%", 1) if kind.is_share else (1, " m", 3)
    said = f"{factor * value:.{digits}f}{unit}"
    if low is None or high is None:
        return said
    return f"{said} ({factor * low:.{digits}f} to {factor * high:.{digits}f})"
