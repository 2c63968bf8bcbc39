"""How diverse a dataset is: who and what its hours are by, how many people that is worth, and who is missing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.publishing.hill_numbers import effective_number, top_share

SMALLEST_GROUP = 5
"""Groups of fewer contributors are not shown in reports that others may see."""
NOT_DECLARED = "(not declared)"


@dataclass(frozen=True)
class Contribution:
    """What one contributor has in a dataset for one task."""

    contributor: str
    task: str
    episodes: int
    seconds: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What they have declared about themselves: attribute, value."""


@dataclass(frozen=True)
class Group:
    """The contributors that share a value. Numbers are None where they are not to be shown."""

    name: str
    contributors: int | None
    episodes: int | None
    hours: float | None

    @property
    def is_shown(self) -> bool:
        """Whether its numbers are there."""
        return self.hours is not None


@dataclass(frozen=True)
class Breakdown:
    """Hours and episodes by one thing, largest group first."""

    by: str
    groups: tuple[Group, ...]
    effective_shannon: float | None
    """Effective number of groups by hours: the exponential of Shannon's entropy. Whoever declared nothing is not in
    it. None where it would give a hidden group away."""
    effective_simpson: float | None
    """The same by the inverse of Simpson's index, which minds the largest groups more."""


@dataclass(frozen=True)
class Missing:
    """What further contributors of a group would do to how evenly hours are spread over an attribute."""

    attribute: str
    value: str
    more: int
    """How many contributors are added, each with the mean hours of those that are there."""
    effective_before: float | None
    """Effective number (Shannon) of the attribute's groups now. None where it would give a hidden group away."""
    effective_after: float | None
    gain: float | None
    """By what factor the effective number rises, less 1."""

    @property
    def sentence(self) -> str:
        """What it says, in words that claim no more than was computed."""
        start = f"{self.more} more contributors with {self.attribute} '{self.value}', recording as much as the mean,"
        if self.effective_before is None or self.effective_after is None:
            return f"{start} would even out {self.attribute} (by how much is not shown: a group is too small)"
        return (
            f"{start} would raise the effective number of {self.attribute} groups "
            f"from {self.effective_before:.2f} to {self.effective_after:.2f}"
        )


@dataclass(frozen=True)
class DiversityReport:
    """The diversity of a dataset. Effective numbers and shares are by hours."""

    contributors: int
    episodes: int
    hours: float
    effective_contributors_shannon: float
    effective_contributors_simpson: float
    top_1_percent_share: float
    """Of the hours, by the 1 % of the contributors (at least one) who have most."""
    top_10_percent_share: float
    by_contributor: Breakdown
    by_task: Breakdown
    by_attribute: tuple[Breakdown, ...]
    missing: tuple[Missing, ...]
    """For every attribute that somebody declared the groups that would raise it, the largest gain first."""
    hidden_below: int | None = None
    """Groups of fewer contributors are not shown; None where all are."""


def contributions(episodes: pa.Table, attributes: Mapping[str, Mapping[str, str]]) -> list[Contribution]:
    """What each contributor has for each task in an episode table, by name.

    Args:
        episodes: the episode table of a version.
        attributes: what contributors have declared, by contributor and attribute; those who declared nothing may be
            missing.

    Returns:
        One contribution a contributor and task.
    """
    table = pa.table(
        {
            "contributor": episodes["contributor"],
            "task": episodes["task"],
            "ns": pc.subtract(episodes["end_ns"], episodes["start_ns"]),
        }
    )
    sums = table.group_by(["contributor", "task"]).aggregate([("ns", "sum"), ("ns", "count")])
    return [
        Contribution(
            row["contributor"],
            row["task"],
            row["ns_count"],
            row["ns_sum"] / 1e9,
            attributes.get(row["contributor"], {}),
        )
        for row in sums.sort_by([("contributor", "ascending"), ("task", "ascending")]).to_pylist()
    ]


def diversity(
    rows: Sequence[Contribution], lists: Mapping[str, Sequence[str]], *, more: int | None = None
) -> DiversityReport:
    """The report, with nothing hidden: for those who may know the contributors. See `for_publication`.

    Args:
        rows: what there is, from `contributions`.
        lists: the attributes, and the values that each may have.
        more: how many contributors `missing` adds to a group; a tenth of those there are by default, at least 5.

    Returns:
        The report.
    """
    people = _breakdown("contributor", [(row.contributor, row) for row in rows])
    amounts = [group.hours or 0.0 for group in people.groups]
    known = {row.contributor: row.attributes for row in rows}
    added = max(5, math.ceil(len(known) / 10)) if more is None else more
    by_attribute = tuple(
        _breakdown(name, [(row.attributes.get(name, NOT_DECLARED), row) for row in rows])
        for name in lists
        if any(name in declared for declared in known.values())
    )
    mean = sum(amounts) / len(amounts) if amounts else 0.0
    return DiversityReport(
        contributors=len(people.groups),
        episodes=sum(row.episodes for row in rows),
        hours=sum(amounts),
        effective_contributors_shannon=effective_number(amounts, 1),
        effective_contributors_simpson=effective_number(amounts, 2),
        top_1_percent_share=top_share(amounts, 1),
        top_10_percent_share=top_share(amounts, 10),
        by_contributor=people,
        by_task=_breakdown("task", [(row.task, row) for row in rows]),
        by_attribute=by_attribute,
        missing=what_is_missing(by_attribute, lists, added, mean),
    )


def what_is_missing(
    breakdowns: Sequence[Breakdown], lists: Mapping[str, Sequence[str]], more: int, mean_hours: float
) -> tuple[Missing, ...]:
    """What the same number of further contributors would do in each group, the largest gain first.

    Computed, not guessed: the group is given `more` times the mean hours, and the effective number (order 1) of the
    attribute's groups is taken again. It raises the number of contributors alike whichever group they are of, so it
    is the spread over groups that tells them apart. Only groups whose gain is above 0 are named, and never "other":
    nobody can look for those.
    """
    found = []
    for breakdown in breakdowns:
        hours = {group.name: group.hours or 0.0 for group in breakdown.groups if group.name != NOT_DECLARED}
        before = effective_number(list(hours.values()), 1)
        for value in lists[breakdown.by]:
            after = effective_number(list((hours | {value: hours.get(value, 0.0) + more * mean_hours}).values()), 1)
            if before > 0 and after > before * (1 + 1e-9) and value != "other":
                found.append(Missing(breakdown.by, value, more, before, after, after / before - 1))
    return tuple(sorted(found, key=lambda one: (-(one.gain or 0.0), one.attribute, one.value)))


def for_publication(report: DiversityReport, smallest: int = SMALLEST_GROUP) -> DiversityReport:
    """The report as others may see it: no contributor's id, and no numbers of small groups of people.

    What people declare about themselves is shown for groups of at least `smallest` contributors. If those that are
    hidden are fewer than that together, the next larger group is hidden too, as the rest of the whole would give
    them away; effective numbers of an attribute with a hidden group are left out for the same reason.

    Args:
        report: from `diversity`.
        smallest: the fewest contributors of a group that is shown.

    Returns:
        The report without what could tell who somebody is.
    """
    people = tuple(
        replace(group, name=f"number {place}") for place, group in enumerate(report.by_contributor.groups, start=1)
    )
    shown = tuple(_hidden(breakdown, smallest) for breakdown in report.by_attribute)
    closed = {breakdown.by for breakdown in shown if breakdown.effective_shannon is None}
    missing = tuple(
        replace(one, effective_before=None, effective_after=None, gain=None) if one.attribute in closed else one
        for one in report.missing
    )
    return replace(
        report,
        by_contributor=replace(report.by_contributor, groups=people),
        by_attribute=shown,
        missing=missing,
        hidden_below=smallest,
    )


def groups_to_hide(people: Mapping[str, int], smallest: int, hidden: Collection[str] = ()) -> set[str]:
    """Which groups are not shown: the small ones, and more of them until the rest of the whole gives nobody away.

    Args:
        people: how many are in each group, by its name; groups of nobody are left out.
        smallest: the fewest people of a group that is shown.
        hidden: groups that are not shown anyhow.

    Returns:
        Their names. Together they are at least `smallest` people, or all groups; or there are none.
    """
    by_size = sorted((name for name, count in people.items() if count), key=lambda name: (people[name], name))
    found = {name for name in by_size if people[name] < smallest or name in hidden}
    for name in by_size:
        if not found or sum(people[other] for other in found) >= smallest:
            break
        found.add(name)
    return found


def _hidden(breakdown: Breakdown, smallest: int) -> Breakdown:
    hidden = groups_to_hide({group.name: group.contributors or 0 for group in breakdown.groups}, smallest)
    if not hidden:
        return breakdown
    groups = [
        Group(group.name, None, None, None) if group.name in hidden else group for group in breakdown.groups
    ]  # fmt: skip
    # their order would tell which is larger
    ordered = [group for group in groups if group.is_shown]
    ordered += sorted((group for group in groups if not group.is_shown), key=lambda group: group.name)
    return Breakdown(breakdown.by, tuple(ordered), None, None)


def _breakdown(by: str, rows: Sequence[tuple[str, Contribution]]) -> Breakdown:
    people: dict[str, set[str]] = {}
    episodes: dict[str, int] = {}
    hours: dict[str, float] = {}
    for name, row in rows:
        people.setdefault(name, set()).add(row.contributor)
        episodes[name] = episodes.get(name, 0) + row.episodes
        hours[name] = hours.get(name, 0.0) + row.seconds / 3600
    groups = [Group(name, len(people[name]), episodes[name], hours[name]) for name in people]
    declared = np.array([group.hours for group in groups if group.name != NOT_DECLARED], np.float64)
    return Breakdown(
        by,
        tuple(sorted(groups, key=lambda group: (-(group.hours or 0.0), group.name))),
        effective_number(declared, 1),
        effective_number(declared, 2),
    )
