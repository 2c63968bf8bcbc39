"""The check of the contributor's consent against the task that the recording was made under."""

from __future__ import annotations

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding
from storage.recordings.recording import RecordingFile
from storage.tasks.criteria import AtLeast, Limit
from storage.tasks.task import Task


def _consent(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.recording is None or evidence.task is None:
        return None
    met = _requirements(evidence.recording, evidence.task, evidence.task_version)
    amiss = [words for words, is_met in met.items() if not is_met]
    words = f"your consent is not complete: {', and '.join(amiss)}" if amiss else "your consent is complete"
    return Finding(1 - len(amiss) / len(met), words, ((0, evidence.footage.end_ns),))


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


CONSENT_CHECKS = (
    Check("consent_complete", AtLeast, _consent,
          "share of what consent needs that is there: given for this task, for the version that the recording was made "
          "under, to the text (SHA-256) of that version, and, where the task says `consent_signed = true`, signed",
          "read the consent text again and agree to it with a new recording"),
)  # fmt: skip
