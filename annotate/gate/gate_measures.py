"""How good the gate is: each check against reviewers' decisions, the reviewers against known answers, and the wait.

What is counted. A recording is *bad* if reviewers did not accept it, *flagged* if a check doubts it and none rejects
it, *passed* if all checks pass. What a check rejects by itself no person sees; it is counted, and judges no check.

* Precision of a check: the share of bad ones among the recordings it doubted that were decided. The interval is
  Wilson's (JASA 22, 1927, p. 209).
* Recall of a check: the share of all bad recordings that it doubted. Bad ones among those that passed are seen only in
  spot checks, so each spot check stands for N / n recordings, where N passed in its stratum (a task with one share of
  spot checks) and n of them were looked at and decided: the reciprocal of the sampling share, as it turned out to be
  (post-stratification; Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, ch. 7). The hash of its
  id chooses a recording, so the sample does not depend on what is in it. Of the flagged ones each decided stands for
  N / n in the same way. Without one decided spot check nothing is known of recall, and none is given.
  The interval joins two, each at 97.5 %, so that both hold with 95 % at least (Bonferroni): Wilson's for the share of
  the bad flagged recordings that the check doubted, and Wilson's for the share of bad ones among the passed, for the
  effective number of spot checks (sum of weights squared over sum of squared weights; Kish, Survey Sampling, 1965).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from storage.catalog import Catalog, CheckValue, Decision, GoldRecordings, ReviewRecord, Reviews, Verdict
from storage.catalog.reviews.opinions import median_decision
from storage.tasks.task import ReviewRules


@dataclass(frozen=True)
class Estimate:
    """A share, 0 to 1, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float
    count: int
    """Of how many."""


@dataclass(frozen=True)
class Judged:
    """A recording as the gate and, perhaps, reviewers judged it."""

    recording: str
    task: str
    checks: Mapping[str, CheckValue]
    gate: Verdict
    """The worst verdict of all checks."""
    decision: Decision | None
    """What reviewers decided; None where none were asked or they are not done."""
    named: frozenset[str] = frozenset()
    """The checks, or other texts, that they named as the reason."""
    stratum: tuple[object, ...] = ()
    weight: float = 0.0
    """How many recordings it stands for; 0 where it is not decided."""

    @property
    def is_bad(self) -> bool:
        """Whether reviewers did not accept it."""
        return self.decision in ("return", "reject")


@dataclass(frozen=True)
class CheckMeasures:
    """How good one check is, or all together."""

    check: str
    doubted: int
    share_doubted: float
    """Of all recordings."""
    failed: int
    precision: Estimate | None
    recall: Estimate | None


@dataclass(frozen=True)
class Times:
    """How long something takes, in seconds."""

    median: float
    ninth_decile: float
    count: int


@dataclass(frozen=True)
class ReviewerMeasures:
    """One reviewer: how much they did, and how often they gave the known answer."""

    reviewer: str
    opinions: int
    right: Estimate | None


@dataclass(frozen=True)
class GateMeasures:
    """The gate as a whole."""

    recordings: int
    passed: int
    flagged: int
    rejected: int
    spot_checked: int
    """Passed recordings that reviewers looked at and decided on."""
    passed_unlike: int
    """Passed recordings of tasks without a decided spot check: taken to be like the others."""
    bad_passed: Estimate | None
    """Share of bad ones among the passed."""
    gate: CheckMeasures
    checks: tuple[CheckMeasures, ...]
    waiting_seconds: Times | None
    """From when an opinion was asked for until it was given."""
    looking_seconds: Times | None
    """From when a reviewer was given a recording until they decided."""
    reviewers: tuple[ReviewerMeasures, ...]


def measure_gate(catalog: Catalog, task: str | None = None) -> GateMeasures:
    """Measure the gate by what was decided so far.

    Args:
        catalog: of the workspace.
        task: its name; None is all tasks.

    Returns:
        The measures of the gate, of its checks and of the reviewers.

    Raises:
        NotFound: there is no such task.
    """
    judged = gather(catalog, task)
    counts = Counter(one.gate for one in judged)
    bad_passed, unlike = _bad_passed(judged)
    names = list(dict.fromkeys(name for one in judged for name in one.checks))
    among = {one.recording for one in judged}
    opinions = [opinion for opinion in Reviews(catalog).opinions() if opinion.recording in among]
    counted = [opinion for opinion in opinions if opinion.reason != "gold"]
    return GateMeasures(
        recordings=len(judged),
        passed=counts["pass"],
        flagged=counts["doubt"],
        rejected=counts["fail"],
        spot_checked=sum(one.gate == "pass" and one.decision is not None for one in judged),
        passed_unlike=unlike,
        bad_passed=bad_passed,
        gate=_measures("all together", None, judged, bad_passed),
        checks=tuple(_measures(name, name, judged, bad_passed) for name in names),
        waiting_seconds=_times([(o.at - o.asked_at).total_seconds() for o in counted if o.asked_at is not None]),
        looking_seconds=_times([(o.at - o.begun_at).total_seconds() for o in counted if o.begun_at is not None]),
        reviewers=_reviewers(catalog, opinions),
    )


def gather(catalog: Catalog, task: str | None = None) -> list[Judged]:
    """Every recording that the gate has judged, with what reviewers decided on it and how many it stands for.

    Raises:
        NotFound: there is no such task.
    """
    if task is not None:
        catalog.task(task)
    checks: defaultdict[str, dict[str, CheckValue]] = defaultdict(dict)
    for recording, check in catalog.check_values(task):
        checks[recording][check.check] = check
    rounds: defaultdict[str, defaultdict[int, list[ReviewRecord]]] = defaultdict(lambda: defaultdict(list))
    for opinion in Reviews(catalog).opinions():
        if opinion.reason != "gold":
            rounds[opinion.recording][opinion.round].append(opinion)
    rules: dict[tuple[str, int], ReviewRules] = {}
    judged = []
    for row in catalog.recordings():
        found = checks.get(row.recording)
        if found is None or (task is not None and row.task != task):
            continue
        version = row.task, row.task_version
        if version not in rules:
            rules[version] = catalog.task(*version).task.review
        verdicts = {check.verdict for check in found.values()}
        gate: Verdict = "fail" if "fail" in verdicts else "doubt" if "doubt" in verdicts else "pass"
        decision, named = _decided(rounds[row.recording], gate, rules[version].opinions)
        stratum = row.task, gate, rules[version].spot_check_share if gate == "pass" else None
        judged.append(Judged(row.recording, row.task, found, gate, decision, named, stratum))
    return _weighted(judged)


def wilson(successes: float, count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share; `count` need not be whole, for weighted samples."""
    if count <= 0:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), successes / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)
    # where none or all succeed, the bound is exact; arithmetic would leave 1e-17
    return (0.0 if successes <= 0 else max(0.0, low)), (1.0 if successes >= count else min(1.0, high))


def effective(weights: Sequence[float]) -> float:
    """How many equally weighted ones a weighted sample is worth (Kish)."""
    squares = sum(weight * weight for weight in weights)
    return sum(weights) ** 2 / squares if squares else 0.0


def share_of(successes: int, count: int) -> Estimate | None:
    """A plain share with Wilson's interval; None of nothing."""
    return Estimate(successes / count, *wilson(successes, count), count) if count else None


def _decided(
    rounds: Mapping[int, Sequence[ReviewRecord]], gate: Verdict, opinions_needed: int
) -> tuple[Decision | None, frozenset[str]]:
    """What the first round that the gate itself began came to; later rounds have other causes."""
    begun_by = {"doubt": "doubt", "pass": "spot check"}.get(gate)
    for _, opinions in sorted(rounds.items()):
        if opinions[0].reason != begun_by:
            continue
        decisions = [opinion.decision for opinion in opinions]
        is_fine = begun_by == "spot check" and decisions == ["accept"]
        if is_fine or len(decisions) == 3 or (len(decisions) == opinions_needed and len(set(decisions)) == 1):
            decided = median_decision(decisions)
            named = {name for opinion in opinions if opinion.decision == decided for name in opinion.named}
            return decided, frozenset(named)
        break
    return None, frozenset()


def _weighted(judged: Sequence[Judged]) -> list[Judged]:
    all_of = Counter(one.stratum for one in judged)
    decided = Counter(one.stratum for one in judged if one.decision is not None)
    return [
        replace(one, weight=all_of[one.stratum] / decided[one.stratum]) if one.decision is not None else one
        for one in judged
    ]


def _bad_passed(judged: Sequence[Judged]) -> tuple[Estimate | None, int]:
    """The share of bad ones among the passed, and how many passed in strata of which none was looked at."""
    passed = [one for one in judged if one.gate == "pass"]
    seen = [one for one in passed if one.decision is not None]
    strata = {one.stratum for one in seen}
    unlike = sum(one.stratum not in strata for one in passed)
    if not seen:
        return None, unlike
    weights = [one.weight for one in seen]
    value = sum(one.weight for one in seen if one.is_bad) / sum(weights)
    count = effective(weights)
    return Estimate(value, *wilson(value * count, count), len(seen)), unlike


def _measures(title: str, name: str | None, judged: Sequence[Judged], bad_passed: Estimate | None) -> CheckMeasures:
    """Of the check `name`, or for None of all together."""

    def verdict(one: Judged) -> Verdict | None:
        return one.gate if name is None else one.checks[name].verdict if name in one.checks else None

    flagged = [one for one in judged if one.gate == "doubt"]
    decided = [one for one in flagged if verdict(one) == "doubt" and one.decision is not None]
    doubted = sum(verdict(one) == "doubt" for one in judged)
    return CheckMeasures(
        check=title,
        doubted=doubted,
        share_doubted=doubted / len(judged) if judged else 0.0,
        failed=sum(verdict(one) == "fail" for one in judged),
        precision=share_of(sum(one.is_bad for one in decided), len(decided)),
        recall=_recall(decided, judged, bad_passed, is_whole=name is None),
    )


def _recall(
    decided: Sequence[Judged], judged: Sequence[Judged], bad_passed: Estimate | None, *, is_whole: bool
) -> Estimate | None:
    if bad_passed is None:
        return None
    bad_flagged = [one for one in judged if one.gate == "doubt" and one.is_bad]
    weights = [one.weight for one in bad_flagged]
    caught = sum(one.weight for one in decided if one.is_bad)
    flagged, passed = sum(weights), sum(one.gate == "pass" for one in judged)
    if flagged + bad_passed.value * passed == 0:
        return None
    seen = [one.weight for one in judged if one.gate == "pass" and one.decision is not None]
    count = effective(seen)
    least_missed, most_missed = wilson(bad_passed.value * count, count, 0.975)
    share = caught / flagged if flagged else 0.0
    least, most = (1.0, 1.0) if is_whole else wilson(share * effective(weights), effective(weights), 0.975)

    def joined(of_flagged: float, missed: float) -> float:
        bad = flagged + missed * passed
        return of_flagged * flagged / bad if bad else 1.0

    return Estimate(
        joined(share, bad_passed.value), joined(least, most_missed), joined(most, least_missed), len(bad_flagged)
    )


def _times(seconds: Sequence[float]) -> Times | None:
    if not seconds:
        return None
    median, ninth = np.percentile(np.array(seconds), [50, 90])
    return Times(float(median), float(ninth), len(seconds))


def _reviewers(catalog: Catalog, opinions: Sequence[ReviewRecord]) -> tuple[ReviewerMeasures, ...]:
    known = {gold.recording: gold.decision for gold in GoldRecordings(catalog).all()}
    found = []
    for reviewer in sorted({opinion.reviewer for opinion in opinions}):
        given = [opinion for opinion in opinions if opinion.reviewer == reviewer]
        tests = [opinion for opinion in given if opinion.reason == "gold" and opinion.recording in known]
        right = sum(opinion.decision == known[opinion.recording] for opinion in tests)
        found.append(ReviewerMeasures(reviewer, len(given) - len(tests), share_of(right, len(tests))))
    return tuple(found)
