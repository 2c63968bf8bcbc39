"""Review: a recording for each reviewer, the evidence beside its video, and a decision with feedback."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotate.gate.feedback import TEMPLATES, composed, merged, texts
from kinesphere.errors import Conflict, InvalidInput, NotFound
from kinesphere.video.video_keys import video_key
from storage.catalog import Decision, FailedTries, ReviewLease, ReviewLeases, ReviewRecord, Reviews, Verdict
from storage.workspace import Workspace


@dataclass(frozen=True)
class CheckFinding:
    """What one check found."""

    check: str
    verdict: Verdict
    value: float
    doubt: float
    fail: float
    message: str
    ranges: tuple[tuple[int, int], ...]
    """Where it is doubted: half-open time ranges, int64 ns since the recording began."""


@dataclass(frozen=True)
class ReviewEvidence:
    """What a reviewer is shown. It does not tell who recorded it, nor why they are asked."""

    recording: str
    task: str
    title: str
    instructions: str
    language: str
    duration_ns: int
    video: str
    """Path of the video, or its address in the object store."""
    open_at: tuple[str, ...]
    """Commands that play the video from a little before each doubtful range (the first ten), or from its beginning."""
    failure: str | None
    """Why it could not be processed, if it could not: then nothing was checked, and it cannot be accepted."""
    findings: tuple[CheckFinding, ...]
    """Of all checks; those that doubt it come first."""
    templates: Mapping[str, str]
    """Feedback that may be named, by name."""
    beyond_checks: tuple[str, ...]
    """The names of those that are for what no check of this recording sees."""
    until: datetime
    """It is kept for this reviewer until then, or until they ask again."""


def next_to_review(
    workspace: Workspace,
    reviewer: str,
    task: str | None = None,
    language: str | None = None,
    *,
    past: Collection[str] = (),
) -> ReviewEvidence | None:
    """Give a reviewer the recording that has waited longest, for them alone.

    It is kept for 30 minutes. Asked again, they get the same one, for 30 minutes more: who closes the laptop loses
    nothing, unless another reviewer has taken it meanwhile. Nobody gets their own recording.

    Args:
        workspace: that is reviewed.
        reviewer: their account.
        task: only of this one; None is any.
        language: of the task, e.g. "pt"; "pt" also means "pt-BR".
        past: recordings to pass over.

    Returns:
        What they are shown; None if nothing waits for them.

    Raises:
        NotFound: there is no such task.
    """
    lease = ReviewLeases(workspace.catalog).lease_next(reviewer, task=task, language=language, past=past)
    return evidence(workspace, lease) if lease is not None else None


def take_for_review(workspace: Workspace, recording: str, reviewer: str) -> ReviewEvidence:
    """As `next_to_review`, for a recording that the reviewer names.

    Args:
        workspace: that is reviewed.
        recording: its id.
        reviewer: their account.

    Returns:
        What they are shown.

    Raises:
        NotFound: there is no such recording.
        Conflict: it is not for them to review now.
    """
    return evidence(workspace, ReviewLeases(workspace.catalog).lease(recording, reviewer))


def decide(
    workspace: Workspace,
    recording: str,
    decision: Decision,
    *,
    reviewer: str,
    words: str = "",
    named: Sequence[str] = (),
    ranges: Sequence[tuple[int, int]] = (),
) -> ReviewRecord:
    """Enter a reviewer's opinion. What follows from several is in docs/decisions/0024-review.md.

    Args:
        workspace: that is reviewed.
        recording: its id.
        decision: accept, return or reject.
        reviewer: their account.
        words: what the contributor should know or do better, in the reviewer's words.
        named: checks, or other texts of the task, whose feedback the contributor gets.
        ranges: half-open time ranges concerned, int64 ns since the recording began; without them, those of the
            checks that are named.

    Returns:
        The opinion as it was entered.

    Raises:
        NotFound: there is no such recording, or no such text.
        InvalidInput: a range lies outside the recording, or nothing tells the contributor why.
        Conflict: they may not decide on it (now), or it is to be accepted and could not be processed; the message says
            why. Nothing has changed.
    """
    catalog = workspace.catalog
    row = catalog.recording(recording)
    task = catalog.task(row.task).task
    unknown = [name for name in named if name not in texts(task)]
    if unknown:
        raise NotFound("feedback text", unknown[0], list(texts(task)), "a task names its own under [feedback]")
    if decision == "accept" and FailedTries(catalog).unprocessed(recording):
        raise Conflict(
            f"recording {recording} could not be processed, so there is nothing to accept; return it, reject it, or "
            f"try again: kinesphere process --again {recording}"
        )
    if decision != "accept" and not named and not words.strip():
        raise InvalidInput(
            f"tell the contributor why: --feedback TEXT or --template CHECK is needed to {decision} a recording"
        )
    for start, end in ranges:
        if not 0 <= start < end <= row.duration_ns + 1_000_000_000:
            raise InvalidInput(
                f"the range {start / 1e9:g}-{end / 1e9:g} s is not within recording {recording}, "
                f"which is {row.duration_ns / 1e9:.1f} s long"
            )
    if not ranges and decision != "accept":
        ranges = [found for check in catalog.checks(recording) if check.check in named for found in check.ranges]
    return Reviews(catalog).decide(
        recording,
        decision,
        reviewer=reviewer,
        feedback=composed(task, named, words),
        named=tuple(dict.fromkeys(named)),
        ranges=merged(ranges),
    )


def release(workspace: Workspace, reviewer: str) -> str | None:
    """Give back what a reviewer looks at, for others to take.

    Args:
        workspace: that is reviewed.
        reviewer: their account.

    Returns:
        The id of the recording, or None if there was nothing.
    """
    return ReviewLeases(workspace.catalog).release(reviewer)


def evidence(workspace: Workspace, lease: ReviewLease) -> ReviewEvidence:
    """What is known of the recording that somebody was given to review."""
    catalog, objects = workspace.catalog, workspace.objects
    row = catalog.recording(lease.recording)
    task = catalog.task(row.task, row.task_version).task
    findings = [
        CheckFinding(check.check, check.verdict, check.value, check.doubt, check.fail, check.message, check.ranges)
        for check in catalog.checks(row.recording)
    ]
    known, measured = texts(catalog.task(row.task).task), {found.check for found in findings}
    key = video_key(row.recording)
    local = objects.local_path(key)
    video = str(local) if local is not None else f"{objects.url}/{key}"
    starts = sorted({start for found in findings for start, _ in found.ranges})
    return ReviewEvidence(
        recording=row.recording,
        task=row.task,
        title=task.title,
        instructions=task.instructions,
        language=task.language,
        duration_ns=row.duration_ns,
        video=video,
        failure=FailedTries(catalog).unprocessed(row.recording).get(row.recording),
        open_at=tuple(
            f"mpv --start={max(0, start / 1e9 - 1):.1f} {shlex.quote(video)}" for start in starts[:10] or [0]
        ),
        findings=tuple(sorted(findings, key=lambda found: (found.verdict == "pass", found.check))),
        templates=known,
        beyond_checks=tuple(name for name in known if name not in TEMPLATES and name not in measured),
        until=lease.until,
    )
