"""A finding held against the task's two thresholds becomes a check's result."""

from __future__ import annotations

from storage.catalog import CheckRecord, Verdict
from storage.criteria import AtLeast, Limit

from .findings import Finding


def judge(name: str, limit: Limit, finding: Finding, advice: str = "") -> CheckRecord:
    """Hold a finding against its two thresholds."""
    is_lower_limit = isinstance(limit, AtLeast)

    def beyond(threshold: float) -> bool:
        return finding.value < threshold if is_lower_limit else finding.value > threshold

    verdict: Verdict = "fail" if beyond(limit.fail) else "doubt" if beyond(limit.doubt) else "pass"
    if verdict == "pass":
        return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, finding.words)
    wanted = f"at {'least' if is_lower_limit else 'most'} {limit.doubt:g}"
    message = f"{finding.words} (should be {wanted})" + (f": {advice}" if advice else "")
    return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, message, finding.ranges)
