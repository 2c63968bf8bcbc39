"""Drafts in the outbox: what was cut short is recovered, takes are described, and one take replaces another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinesphere.errors import Conflict, InvalidInput
from storage.recordings.recording import RecordingFile, State
from studio.commands.output import say

if TYPE_CHECKING:
    from annotate.gate.feedback import Feedback
    from capture.drafts.unfinished import Leftover
    from storage.workspace import Workspace


def check_replaceable(workspace: Workspace, recording: str, task: str, contributor: str, *, takes: int) -> None:
    """Make sure that a take can replace a recording: one that came back, of the same task and contributor.

    Raises:
        NotFound: there is no such recording.
        Conflict: it is another one's, of another task, did not come back, or is replaced already.
        InvalidInput: several takes are made at once.
    """
    row = workspace.catalog.recording(recording)
    if takes > 1:
        raise InvalidInput("one take replaces one recording: record with one camera, or import one video")
    if (row.task, row.contributor) != (task, contributor):
        raise Conflict(
            f"recording {recording} is of task '{row.task}' by {row.contributor}; "
            "a take replaces one of the same task and contributor"
        )
    # what was sent elsewhere is judged there, and here stays submitted
    if row.state not in (State.RETURNED, State.REJECTED) and row.sent_to is None:
        raise Conflict(f"recording {recording} is {row.state}; only what was returned or rejected is replaced")
    for take in workspace.catalog.replacements(recording):
        raise Conflict(f"recording {recording} is replaced already, by {take.recording} ({take.state})")


def catch_up(workspace: Workspace, *, quiet: bool) -> list[Leftover]:
    """Bring into the outbox what a crash or a full disk left beside it, and tell the contributor."""
    from capture.drafts.outbox import adopt_drafts
    from capture.drafts.unfinished import recover

    adopt_drafts(workspace)
    found = recover(workspace)
    for leftover in [] if quiet else found:
        if leftover.description is None:
            say(f"Recording {leftover.recording} could not be recovered: {leftover.problem}.")
        else:
            say(f"Recording {leftover.recording} was cut short; what there is of it was recovered:")
            say_take(leftover.description)
    return found


def say_take(description: RecordingFile) -> None:
    """Tell the contributor about a draft, and what comes next."""
    video = description.video
    say(
        f"Draft {description.recording}: {video.duration_ns / 1e9:.1f} s, {video.frames} frames, "
        f"{video.width}x{video.height}. Next: kinesphere submit {description.recording}"
    )


def say_feedback(feedback: Feedback) -> None:
    """Tell the contributor what was found in a recording, where, how to do better, and what replaces what."""
    from annotate.gate.feedback import where

    for advice in feedback.advice:
        found = "; ".join(part for part in (advice.what, f"at {where(advice.ranges)}" if advice.ranges else "") if part)
        say((f"What: {found}\n" if found else "") + f"How to do better: {advice.better}\n")
    if feedback.replaces is not None:
        say(f"It replaces {feedback.replaces}.\n")
    if feedback.replaced_by:
        say(f"Replaced by {', '.join(feedback.replaced_by)}.\n")
    if feedback.record_again is not None:
        say(f"Record it again with: {feedback.record_again}\n")
