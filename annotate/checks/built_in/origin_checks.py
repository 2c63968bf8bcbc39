"""Checks of where a recording comes from: that it is consented to, and that it is no other one once more."""

from __future__ import annotations

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, Needs
from annotate.checks.limits import Limit, Unit
from storage.recordings.recording import RecordingFile
from storage.tasks.task import Task


def _consent(evidence: Evidence, limit: Limit) -> Finding:
    assert evidence.recording is not None and evidence.task is not None
    met = _requirements(evidence.recording, evidence.task, evidence.task_version)
    unmet = [words for words, is_met in met.items() if not is_met]
    words = f"your consent is not complete: {', and '.join(unmet)}" if unmet else "your consent is complete"
    return Finding(1 - len(unmet) / len(met), words, ((0, evidence.footage.end_ns),))


def _requirements(recording: RecordingFile, task: Task, version: int) -> dict[str, bool]:
    """What is said where a requirement is not met, and whether it is."""
    consent = recording.consent
    met = {
        f"it was given for the task '{consent.task}' and not for '{task.name}'": (
            consent.task == recording.task == task.name
        ),
        f"it was given for version {consent.task_version} of the task and not for {version}": (
            consent.task_version == recording.task_version == version
        ),
        "the text that was agreed to is not the task's": consent.text_sha256 == task.consent_sha256,
    }
    if task.consent_signed:
        met["it is not signed"] = bool(consent.signed.strip())
    return met


def _not_from_evidence(evidence: Evidence, limit: Limit) -> Finding | None:
    """Nothing: one recording alone does not tell; see `annotate.duplicates.duplicates.find_duplicates`."""
    return None


CHECKS = (
    Check(
        name="consent_complete",
        direction="at least", doubt=1, fail=1, unit=Unit.SHARE,
        needs=Needs.DESCRIPTION,
        find=_consent,
        meaning="share of what consent needs that is there: given for this task, for the version that the recording "
        "was made under, to the text (SHA-256) of that version, and, where the task says `consent_signed = true`, "
        "signed",
        advice="read the consent text again and agree to it with a new recording",
    ),
    Check(
        name="duplicate",
        direction="at most", doubt=0.2, fail=1, unit=Unit.SHARE,
        needs=Needs.OTHER_RECORDINGS,
        find=_not_from_evidence,
        meaning="share of the recording that shows the same take as another one, or of the other that this one shows, "
        "whichever is larger: by hashes of pictures and by the motion, also mirrored, cut, re-timed or from another "
        "account",
        advice="record a new take of your own",
    ),
)  # fmt: skip
