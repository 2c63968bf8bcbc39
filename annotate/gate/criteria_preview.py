"""What other criteria would have made of past recordings, by what the checks measured then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from annotate.checks.task_criteria import limits_of
from storage.catalog import Catalog, CheckValue, Verdict
from storage.tasks.criteria import Criteria

_SEVERITY: tuple[Verdict, ...] = ("pass", "doubt", "fail")
MOST_CHANGED = 50


@dataclass(frozen=True)
class Tally:
    """How many recordings got which verdict."""

    passed: int
    doubted: int
    failed: int


@dataclass(frozen=True)
class CheckPreview:
    """One check on past recordings: as it was judged, and as it would be."""

    check: str
    before: Tally
    after: Tally


@dataclass(frozen=True)
class Changed:
    """A recording that would get another verdict, and the check that decides it."""

    recording: str
    before: Verdict
    after: Verdict
    check: str


@dataclass(frozen=True)
class Preview:
    """What other criteria would have made of the past recordings of a task."""

    recordings: int
    before: Tally
    after: Tally
    checks: tuple[CheckPreview, ...]
    """Those whose verdicts would change."""
    changed: tuple[Changed, ...]
    """The first `MOST_CHANGED` by id."""


def preview_criteria(catalog: Catalog, task: str, criteria: Criteria) -> Preview:
    """Hold what was measured of a task's recordings against other criteria.

    Values are taken as they were measured, by whatever version of the task; a check that has no value stays out of it,
    and so do plugins, whose direction only they know.

    Args:
        catalog: of the workspace.
        task: whose recordings are judged again, in all its versions.
        criteria: to be tried; what they do not set has its default.

    Returns:
        The verdicts before and after, by check, and the recordings that would change.
    """
    limits = limits_of(criteria)
    by_recording: dict[str, list[tuple[CheckValue, Verdict]]] = {}
    for recording, value in catalog.check_values(task):
        after = limits[value.check].verdict(value.value) if value.check in limits else value.verdict
        by_recording.setdefault(recording, []).append((value, after))
    pairs = {
        name: (_worst(value.verdict for value, _ in values), _worst(after for _, after in values))
        for name, values in by_recording.items()
    }
    changed = [
        Changed(name, before, after, _decisive(by_recording[name], before, after))
        for name, (before, after) in sorted(pairs.items())
        if before != after
    ]
    return Preview(
        recordings=len(pairs),
        before=_tally(before for before, _ in pairs.values()),
        after=_tally(after for _, after in pairs.values()),
        checks=tuple(_checks(by_recording.values())),
        changed=tuple(changed[:MOST_CHANGED]),
    )


def _checks(values: Iterable[list[tuple[CheckValue, Verdict]]]) -> Iterable[CheckPreview]:
    before: dict[str, Counter[Verdict]] = {}
    after: dict[str, Counter[Verdict]] = {}
    for judged in values:
        for value, then in judged:
            before.setdefault(value.check, Counter())[value.verdict] += 1
            after.setdefault(value.check, Counter())[then] += 1
    for name, counts in before.items():
        if counts != after[name]:
            yield CheckPreview(name, _tally(counts.elements()), _tally(after[name].elements()))


def _decisive(values: list[tuple[CheckValue, Verdict]], before: Verdict, after: Verdict) -> str:
    """The first check whose change makes the recording's."""
    if _SEVERITY.index(after) > _SEVERITY.index(before):
        return next(value.check for value, then in values if then == after)
    return next(value.check for value, then in values if value.verdict == before and then != before)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    return max(verdicts, key=_SEVERITY.index)


def _tally(verdicts: Iterable[Verdict]) -> Tally:
    counts = Counter(verdicts)
    return Tally(counts["pass"], counts["doubt"], counts["fail"])
