"""Automated checks: every criterion of a task, applied to what is known of a recording, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.checks.consent_checks import CONSENT_CHECKS
from annotate.checks.duplicate_check import DUPLICATE_CHECK
from annotate.checks.evidence import Evidence, Footage, ImageSampler
from annotate.checks.findings import Check
from annotate.checks.footage_checks import FOOTAGE_CHECKS
from annotate.checks.framing_checks import FRAMING_CHECKS
from annotate.checks.judging import judge
from annotate.checks.plugins import run_plugins
from annotate.checks.presence_checks import PRESENCE_CHECKS
from storage.catalog import CheckRecord
from storage.recordings.recording import State
from storage.tasks.criteria import Criteria

__all__ = ["BUILT_IN", "Evidence", "Footage", "ImageSampler", "check_footage", "next_state", "run_checks"]

BUILT_IN: tuple[Check, ...] = (*FOOTAGE_CHECKS, *PRESENCE_CHECKS, *FRAMING_CHECKS, *CONSENT_CHECKS, DUPLICATE_CHECK)
"""Every check that kinesphere brings, in the order of `Criteria`, whose fields have their names."""


def run_checks(criteria: Criteria, evidence: Evidence) -> list[CheckRecord]:
    """Apply the task's criteria to all that is known of a recording, and the plugins that the task names.

    Returns one record a criterion, built in and then the plugins', in the order of `Criteria`. A built-in check that
    finds nothing to measure leaves no record: there is no framing without a body, which `person_visible_share` tells.
    """
    return [*_judged(criteria, evidence), *run_plugins(criteria.plugins, evidence)]


def check_footage(criteria: Criteria, footage: Footage) -> list[CheckRecord]:
    """Apply the criteria that need no trajectory: what can be said of a take right after it was made."""
    return _judged(criteria, Evidence(footage))


def next_state(checks: Sequence[CheckRecord]) -> tuple[State, str]:
    """The state that follows from the checks, and why: a certain failure rejects, a doubt asks for a person."""
    failed = [check.message for check in checks if check.verdict == "fail"]
    doubted = [check.message for check in checks if check.verdict == "doubt"]
    if failed:
        return State.REJECTED, "; ".join(failed)
    if doubted:
        return State.FLAGGED, "; ".join(doubted)
    return State.ACCEPTED, f"all {len(checks)} checks passed"


def _judged(criteria: Criteria, evidence: Evidence) -> list[CheckRecord]:
    records = []
    for check in BUILT_IN:
        limit = criteria.limits()[check.name]
        finding = check.find(evidence, limit)
        if finding is not None:
            records.append(judge(check.name, limit, finding, check.advice))
    return records
