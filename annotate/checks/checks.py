"""Automated checks: every criterion of a task, applied to what is known of a recording, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.evidence import Evidence, Footage, LiveView, NotMeasurable
from annotate.checks.findings import judge
from annotate.checks.plugins import run_plugins
from annotate.checks.task_criteria import limit_of
from storage.catalog import CheckRecord
from storage.recordings.recording import State
from storage.tasks.criteria import Criteria


def run_checks(criteria: Criteria, evidence: Evidence) -> list[CheckRecord]:
    """Apply the task's criteria to all that is known of a recording, and the plugins that the task names.

    Args:
        criteria: of the task; built-in checks that they do not name have their default thresholds.
        evidence: of the recording.

    Returns:
        One record a criterion, built in and then the plugins'. A built-in check that finds nothing to measure leaves
        no record: there is no framing without a body, which `person_visible_share` tells. One that needs an array
        which the extractor does not give leaves a doubt that says so, with value 0.
    """
    return [*_judged(criteria, evidence), *run_plugins(criteria.plugins, evidence)]


def check_footage(criteria: Criteria, footage: Footage) -> list[CheckRecord]:
    """Apply the criteria that need no trajectory: what can be sentences of a take right after it was made.

    Args:
        criteria: as in `run_checks`.
        footage: of the take.

    Returns:
        One record a check that found something to measure.
    """
    return _judged(criteria, Evidence(footage))


def advise(criteria: Criteria, view: LiveView) -> tuple[str, ...]:
    """What a check would later doubt in the picture as it is now, before a take or during it.

    Args:
        criteria: as in `run_checks`.
        view: what the camera sees.

    Returns:
        A sentence for each fault, with what to do about it; first whether anybody is seen. Empty when all is well.
    """
    sentences = []
    for check in sorted(BUILT_IN.values(), key=lambda check: -check.needs):
        fault = check.live(view, limit_of(criteria, check.name)) if check.live is not None else None
        if fault is not None:
            sentences.append(f"{fault}: {check.advice}.")
    return tuple(dict.fromkeys(sentences))  # two checks may find one fault


def next_state(checks: Sequence[CheckRecord]) -> tuple[State, str]:
    """What becomes of a recording: a certain failure rejects it, a doubt asks for a person.

    Args:
        checks: all results.

    Returns:
        The state, and why.
    """
    failed = [check.message for check in checks if check.verdict == "fail"]
    doubted = [check.message for check in checks if check.verdict == "doubt"]
    if failed:
        return State.REJECTED, "; ".join(failed)
    if doubted:
        return State.FLAGGED, "; ".join(doubted)
    return State.ACCEPTED, f"all {len(checks)} checks passed"


def _judged(criteria: Criteria, evidence: Evidence) -> list[CheckRecord]:
    records = []
    for check in BUILT_IN.values():
        if check.needs.are_met(evidence):
            limit = limit_of(criteria, check.name)
            try:
                finding = check.find(evidence, limit)
            except NotMeasurable as reason:
                message = f"{check.name} cannot be measured: {reason}"
                records.append(CheckRecord(check.name, 0.0, limit.doubt, limit.fail, "doubt", message))
                continue
            if finding is not None:
                records.append(judge(check.name, limit, finding, check.advice))
    return records
