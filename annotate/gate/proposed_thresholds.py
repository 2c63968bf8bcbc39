"""Thresholds of a check, proposed from what reviewers decided so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.limits import Limit
from annotate.checks.task_criteria import limits_of
from annotate.gate.gate_measures import Estimate, Judged, effective, gather, wilson
from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.catalog import Catalog, CheckValue

SURE = 0.9
"""A recording is rejected without a person where at least so many are bad for certain (lower bound, 95 %)."""


@dataclass(frozen=True)
class CurvePoint:
    """What a threshold of doubt would lead to."""

    threshold: float
    missed: float
    """Share of the bad recordings that this check is to find which it would not doubt."""
    doubted: float
    """Share of all recordings that it would doubt."""
    precision: float | None
    """Share of bad ones among those that it would doubt."""


@dataclass(frozen=True)
class Proposal:
    """Thresholds for a check of a task, and why."""

    check: str
    task: str
    is_lower_limit: bool
    doubt: float
    fail: float
    doubt_now: float
    fail_now: float
    fail_is_new: bool
    """Whether enough is known to propose `fail`; else it stays as near to what it is as `doubt` allows."""
    missed: Estimate
    """At `doubt`, of the bad recordings that this check is to find."""
    at_doubt: CurvePoint
    now: CurvePoint
    curve: tuple[CurvePoint, ...]
    """From the threshold that doubts all to the one that doubts none."""
    decided: int
    """Recordings that reviewers have decided on and that this check measured."""


def calibrate(catalog: Catalog, check: str, task: str, miss_rate: float) -> Proposal:
    """Propose the threshold of doubt that flags fewest while missing at most a share of the bad recordings.

    The bad recordings that a check is to find are those for which reviewers named it, and those for which they named
    nothing and no other check has a doubt. A bad recording for which they named another reason is not held against it,
    and neither against its recall: so reviewers should name reasons. Recordings stand for others by the weights of
    `annotate.gate.gate_measures`. `fail` is moved only to where those beyond it, whatever is wrong with them, are bad
    for certain (see `SURE`); nobody has seen what the present `fail` rejects, so it is never loosened.

    Args:
        catalog: of the workspace.
        check: the name of a check, built in or `plugins.NAME`.
        task: whose decided recordings are learned from.
        miss_rate: the share of the bad recordings that may be missed, 0 to 1.

    Returns:
        The thresholds, what they would do, and the curve that they were chosen from.

    Raises:
        NotFound: there is no such task or check.
        InvalidInput: the miss rate is no share.
        Conflict: reviewers have not yet found a bad recording that this check is to find.
    """
    if not 0 <= miss_rate < 1:
        raise InvalidInput(f"a miss rate of {miss_rate:g} cannot be had: use a share from 0 to less than 1")
    criteria = catalog.task(task).task.criteria
    everything = gather(catalog, task)
    records = [one.checks[check] for one in everything if check in one.checks]
    limit = limits_of(criteria).get(check)
    if limit is None:
        if not records:
            known = {name for one in everything for name in one.checks} | set(BUILT_IN)
            raise NotFound("check", check, sorted(known))
        limit = _limit_of(records[-1])
    sign = -1.0 if limit.direction == "at least" else 1.0
    judged = [one for one in everything if one.decision is not None and _has_value(one, check)]
    relevant = [one for one in judged if _should_be_found(one, check)]
    if not relevant:
        raise Conflict(
            f"nothing can be learned for '{check}' yet: reviewers decided on {len(judged)} recordings of '{task}' and "
            "found none that it should have found; review more, or raise spot_check_share in the task's [review]"
        )
    sample = _Sample.of(check, sign, judged, relevant)
    curve = [sample.point(threshold) for threshold in _candidates(sample.severity)]
    chosen = [point for point in curve if point.missed <= miss_rate][-1]  # the first doubts all and misses none
    doubt = sign * chosen.threshold
    count = effective([one.weight for one in relevant])
    missed = Estimate(chosen.missed, *wilson(chosen.missed * count, count), len(relevant))
    certain = sample.certain(curve, doubt)
    fail = certain if certain is not None else sign * limit.fail
    fail = min(max(fail, doubt), max(sign * limit.fail, doubt))
    return Proposal(
        check=check,
        task=task,
        is_lower_limit=sign < 0,
        doubt=chosen.threshold,
        fail=sign * fail,
        doubt_now=limit.doubt,
        fail_now=limit.fail,
        fail_is_new=certain is not None and fail != sign * limit.fail,
        missed=missed,
        at_doubt=chosen,
        now=sample.point(sign * limit.doubt),
        curve=tuple(curve),
        decided=len(judged),
    )


def short_between(low: float, high: float) -> float:
    """The shortest decimal number between two, near their middle."""
    middle = low + (high - low) / 2
    first = -math.floor(math.log10(high - low)) - 1 if high > low else 0
    for digits in range(first, first + 20):
        rounded = round(middle, digits)
        if low < rounded < high:
            return rounded + 0.0  # no -0.0
    return middle


def _should_be_found(one: Judged, check: str) -> bool:
    """Whether a recording is a bad one that the check is to find."""
    if not one.is_bad:
        return False
    others = any(found.verdict != "pass" for name, found in one.checks.items() if name != check)
    return check in one.named or (not one.named and not others)


def _limit_of(record: CheckValue) -> Limit:
    return Limit("at least" if record.doubt >= record.fail else "at most", record.doubt, record.fail)


def _has_value(one: Judged, check: str) -> bool:
    return check in one.checks and math.isfinite(one.checks[check].value)


def _candidates(severity: NDArray[np.float64]) -> list[float]:
    """Thresholds of severity that tell these apart, from the one that all are beyond to the one that none is."""
    values = np.unique(severity).tolist()
    span = (values[-1] - values[0]) or max(1.0, abs(values[0]))
    edges = [values[0] - 0.1 * span, *values, values[-1] + 0.1 * span]
    return [short_between(low, high) for low, high in pairwise(edges)]


@dataclass(frozen=True)
class _Sample:
    """What was decided, sorted by how severe the check finds it. Each sum has one item more: none before the first."""

    sign: float
    severity: NDArray[np.float64]
    """(recordings,): the value, or its negative where low values are bad."""
    weight: NDArray[np.float64]
    bad: NDArray[np.float64]
    relevant: NDArray[np.float64]
    """(recordings + 1,) each: sums of weights of all, the bad, and those that the check is to find."""
    bad_count: NDArray[np.int64]

    @classmethod
    def of(cls, check: str, sign: float, judged: Sequence[Judged], relevant: Sequence[Judged]) -> _Sample:
        ordered = sorted(judged, key=lambda one: sign * one.checks[check].value)
        weights = np.array([one.weight for one in ordered])
        is_bad = np.array([one.is_bad for one in ordered])
        names = {one.recording for one in relevant}
        is_relevant = np.array([one.recording in names for one in ordered])

        def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate(([0.0], np.cumsum(values)))

        return cls(
            sign,
            np.array([sign * one.checks[check].value for one in ordered]),
            summed(weights),
            summed(weights * is_bad),
            summed(weights * is_relevant),
            np.concatenate(([0], np.cumsum(is_bad))).astype(np.int64),
        )

    def point(self, threshold: float) -> CurvePoint:
        """What happens at a threshold of severity; the point names the threshold as the task file does."""
        first = int(np.searchsorted(self.severity, threshold, side="right"))
        beyond = float(self.weight[-1] - self.weight[first])
        return CurvePoint(
            threshold=self.sign * threshold + 0.0,
            missed=float(self.relevant[first] / self.relevant[-1]),
            doubted=beyond / float(self.weight[-1]),
            precision=float(self.bad[-1] - self.bad[first]) / beyond if first < len(self.severity) else None,
        )

    def certain(self, curve: Sequence[CurvePoint], doubt: float) -> float | None:
        """The mildest severity, of `doubt` or more, beyond which recordings are bad for certain."""
        for point in curve:
            threshold = self.sign * point.threshold
            first = int(np.searchsorted(self.severity, threshold, side="right"))
            count = len(self.severity) - first
            if threshold >= doubt and wilson(int(self.bad_count[-1] - self.bad_count[first]), count)[0] >= SURE:
                return threshold
        return None
