"""A finding held against the task's two thresholds becomes a check's result."""

from __future__ import annotations

from annotate.checks.findings import Finding
from storage.catalog import CheckRecord, Verdict
from storage.tasks.criteria import AtLeast, Limit


def judge(name: str, limit: Limit, finding: Finding, advice: str = "") -> CheckRecord:
    """Hold a finding against its two thresholds."""
    verdict = verdict_on(limit, finding.value)
    if verdict == "pass":
        return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, finding.words)
    wanted = f"at {'least' if isinstance(limit, AtLeast) else 'most'} {limit.doubt:g}"
    message = f"{finding.words} (should be {wanted})" + (f": {advice}" if advice else "")
    return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, message, finding.ranges)


def verdict_on(limit: Limit, value: float) -> Verdict:
    """A value held against two thresholds."""

    def beyond(threshold: float) -> bool:
        return value < threshold if isinstance(limit, AtLeast) else value > threshold

    return "fail" if beyond(limit.fail) else "doubt" if beyond(limit.doubt) else "pass"
